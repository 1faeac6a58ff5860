import { expect, test } from 'vitest'
import { readErrorBody, sanitize } from './error-body.js'
import { nextLink } from './link.js'
import { formatScope, mergeScopes, parseScopes } from './scope.js'
import { parseWarning } from './warnings.js'

test.each([
  ['{"errors":[{"code":"A","message":"b"},{"code":"C"}]}', ['A', 'C'], 'A: b; C'],
  ['{"errors":[{"code":"A","message":"","detail":"d"}]}', ['A'], 'A: d'],
  ['{"errors":null}', [], ''],
  ['{"errors":[]}', [], ''],
  ['{"details":"wrong password"}', [], 'wrong password'],
  ['{"error":"invalid_grant","error_description":"too old"}', ['invalid_grant'], 'invalid_grant: too old'],
  ['Too Many Requests', [], 'Too Many Requests'],
  ['<!DOCTYPE html><html><title>413 Too Large</title>', [], '413 Too Large'],
  ['<html><body>x</body></html>', [], 'an HTML page'],
  ['<?xml version="1.0"?><Error><Message>Request has expired</Message></Error>', [], 'Request has expired'],
  ['<Error><Code>AccessDenied</Code><Message>no</Message></Error>', [], 'AccessDenied: no'],
  ['', [], ''],
])('R7: %s', (body, codes, text) => {
  expect(readErrorBody(Buffer.from(body))).toEqual({ codes, text })
})

test('R219, R231, R236: shows neither secrets nor control characters, nor more than a line', () => {
  const { text } = readErrorBody(
    Buffer.from(`\u001b[31mred\nGET /x?sig=canary&a=1 Bearer canary-token ${'x'.repeat(1000)}`),
  )
  expect(text).toMatch(/^\[31mred GET \/x\?sig=\[redacted\]&a=1 Bearer \[redacted\] x+…$/)
  expect(text.length).toBeLessThan(310)
  expect(sanitize('a\u202eb\u009bc')).toBe('a b c')
})

test.each([
  ['</v2/a?n=1>; rel="next"', '/v2/a?n=1'],
  ['<a,b>; rel=next', 'a,b'],
  ['<a>; rel="prev", <b>; title="x, y"; rel="last next"', 'b'],
  ['/v2/_catalog?last=b; rel="next"', '/v2/_catalog?last=b'],
  // Back to the beginning, which some say at the end (R71).
  ['/v2/_catalog?last=; rel="next"', undefined],
  ['</v2/_catalog?n=5&last=>; rel="next"', undefined],
  ['<a>; rel="prev"', undefined],
  ['', undefined],
])('R70: the next of %s is %s', (header, target) => {
  expect(nextLink([header])).toBe(target)
})

test('R103, R105: scopes are split at the last colon and merged by resource', () => {
  const scopes = parseScopes('repository:host:5000/a:pull,push registry:catalog:* nonsense')
  expect(scopes.map(formatScope)).toEqual(['repository:host:5000/a:pull,push', 'registry:catalog:*'])
  const merged = mergeScopes(
    parseScopes('repository:b:push'),
    parseScopes('repository:a:pull repository:b:pull'),
  )
  expect(merged.map(formatScope)).toEqual(['repository:b:pull,push', 'repository:a:pull'])
})

test.each([
  ['299 - "a \\"b\\""', 'a "b"'],
  ['299 - "a\tb"', undefined],
  ['199 - "a"', undefined],
  ['299 host "a"', undefined],
])('R15: the warning %s says %s', (header, text) => {
  expect(parseWarning(header)).toBe(text)
})
