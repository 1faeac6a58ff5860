import { expect, test } from 'vitest'
import { startRaw } from '../../test/support/raw-server.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { type Answer, answer, hangUp, startScripted } from '../../test/support/scripted-server.js'
import { RegctlError } from '../errors.js'

/** What a user reads of a listing at a host, `HOST` standing for it. */
async function listingAt(host: string): Promise<string> {
  const { client, context } = clientOf()
  await using _ = client
  try {
    for await (const _tag of client.repository(host, 'app').listTags(context));
    return 'it worked'
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    const lines = `${error.message}\n${error.hint ?? ''} (${error.kind})`
    return lines.replaceAll(host, 'HOST')
  }
}

const LISTING = 'listing of the tags of HOST/app failed:'
const REQUEST = 'GET HOST/v2/app/tags/list'

const manyHeaders: Answer = (_request, response) => {
  response.writeHead(200, { location: `/${'x'.repeat(33_000)}` }).end()
}
const brokenBody: Answer = (_request, response) => {
  response.writeHead(200, { 'content-length': '100' }).write('{')
  setTimeout(() => response.destroy(), 10)
}

test.each<[string, Answer, string]>([
  [
    'closes without an answer',
    hangUp,
    `${LISTING} ${REQUEST} failed: the connection was closed after 5 attempts\n` +
      'The registry or something on the way, such as a proxy, closes connections; `--debug` shows which (network)',
  ],
  [
    'closes in the middle of its answer',
    brokenBody,
    `${LISTING} ${REQUEST} failed: the connection was closed after 5 attempts\n` +
      'The registry or something on the way, such as a proxy, closes connections; `--debug` shows which (network)',
  ],
  [
    'has too many headers (R203)',
    manyHeaders,
    `${LISTING} ${REQUEST} failed: the answer has more than 32 KiB of headers\n (network)`,
  ],
  [
    'is in trouble for ever (R238)',
    answer(503, {}, '{"errors":[{"code":"UNAVAILABLE","message":"busy"}]}'),
    `${LISTING} ${REQUEST} answered 503 (UNAVAILABLE: busy) after 5 attempts\n` +
      'The registry, or a proxy in front of it, is in trouble: try again later (network)',
  ],
  [
    'is behind a proxy that does not reach it',
    answer(502, { 'content-type': 'text/html' }, '<html><title>502 Bad Gateway</title></html>'),
    `${LISTING} ${REQUEST} answered 502 (Bad Gateway) after 5 attempts\n` +
      'The registry, or a proxy in front of it, is in trouble: try again later (network)',
  ],
  [
    'is no registry but a site (R37)',
    answer(200, { 'content-type': 'text/html; charset=utf-8' }, '<!doctype html><title>Welcome</title>'),
    `${LISTING} the server sent something else: ${REQUEST} answered 200 with a page (text/html)\n` +
      'Check that HOST is the address of a registry, and not of its web pages (corrupt)',
  ],
])('R256: a registry that %s', async (_what, answered, expected) => {
  await using server = await startScripted([[/./, answered]])
  expect(await listingAt(server.host)).toBe(expected)
})

test('R256: a port where nothing listens', async () => {
  const server = await startRaw(() => {})
  await server[Symbol.asyncDispose]()
  expect(await listingAt(server.host)).toBe(
    'connection to HOST failed: GET HOST/v2/ failed: connection refused after 2 attempts\n' +
      'Check that a registry runs there, and its port (network)',
  )
})

test('R256: a port where something else listens', async () => {
  await using server = await startRaw((socket, count) => {
    socket.resume()
    // The first connection tries TLS.
    if (count === 0) socket.destroy()
    else socket.end('SSH-2.0-OpenSSH_9.6\r\n')
  })
  expect(await listingAt(server.host)).toBe(
    `${LISTING} ${REQUEST} failed: what came is no HTTP after 2 attempts\n` +
      'Check that a registry runs there, and its port (network)',
  )
})
