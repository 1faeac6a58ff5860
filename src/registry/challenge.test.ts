import { describe, expect, test } from 'vitest'
import { chooseChallenge, parseChallenges } from './challenge.js'

function parsed(...headers: string[]) {
  return parseChallenges(headers).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)])
}

describe('R88: WWW-Authenticate', () => {
  test.each([
    [
      'Bearer realm="https://a/token",service="s",scope="repository:x:pull,push"',
      [['bearer', { realm: 'https://a/token', service: 's', scope: 'repository:x:pull,push' }]],
    ],
    ['bearer REALM=https://a/t , Service = "s"', [['bearer', { realm: 'https://a/t', service: 's' }]]],
    ['Basic', [['basic', {}]]],
    ['Basic realm="a \\"b\\" c"', [['basic', { realm: 'a "b" c' }]]],
    [
      'Basic realm="x", Bearer realm="https://a", service="s"',
      [
        ['basic', { realm: 'x' }],
        ['bearer', { realm: 'https://a', service: 's' }],
      ],
    ],
    [
      'Negotiate, Basic realm="x"',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    [
      'Negotiate dG9rZW4=, Basic realm=x',
      [
        ['negotiate', {}],
        ['basic', { realm: 'x' }],
      ],
    ],
    ['Bearer realm="open', []],
    ['', []],
  ])('%s', (header, expected) => {
    expect(parsed(header)).toEqual(expected)
  })

  test('may occur several times', () => {
    expect(parsed('Negotiate', 'Basic realm=x')).toHaveLength(2)
  })
})

describe('R89: the challenge that is answered', () => {
  test.each([
    [['Basic realm="x"', 'Bearer realm="https://a"'], 'bearer'],
    [['Bearer service="no realm"', 'Basic'], 'basic'],
    [['Negotiate', 'NTLM'], undefined],
  ])('of %j is %s', (headers, scheme) => {
    expect(chooseChallenge(parseChallenges(headers))?.scheme).toBe(scheme)
  })
})
