import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { randomBytes } from '../support/random-bytes.js'
import { canary, clientOf } from '../support/registry-fixtures.js'
import { type Answer, answer, type ScriptedServer, startScripted } from '../support/scripted-server.js'

/** More than two chunks. */
const SIZE = 20 * 1024 * 1024
const LIFE_MS = 300_000

/** A registry with a token server, whose tokens are `t1`, `t2`, …; it answers uploads by the number of their token. */
async function startUploads(upload: (token: number) => Answer, onChunk: () => void) {
  const tokens: ScriptedServer = await startScripted([
    [
      /./,
      (_request, response) => {
        const body = { token: `t${tokens.seen.length}`, expires_in: LIFE_MS / 1000 }
        response.writeHead(200).end(JSON.stringify(body))
      },
    ],
  ])
  const challenge = { 'www-authenticate': `Bearer realm="http://${tokens.host}/token",error="invalid_token"` }
  const registry = await startScripted([
    [
      /./,
      (request, response) => {
        const token = /^Bearer t(\d+)$/.exec(request.headers.authorization ?? '')?.[1]
        if (token === undefined) return answer(401, challenge)(request, response)
        if (request.method === 'HEAD') return answer(404)(request, response)
        if (request.method === 'POST') return answer(202, { location: '/u' })(request, response)
        if (request.method === 'PATCH') onChunk()
        return upload(Number(token))(request, response)
      },
    ],
  ])
  return { tokens, registry, challenge }
}

function blobOf(bytes: Buffer) {
  return { mediaType: MediaType.ociLayerGzip, digest: digestOf(bytes), size: bytes.length }
}

test('R109: a token that runs out between the chunks of an upload is renewed before the next', async () => {
  const bytes = randomBytes(1, SIZE)
  let now = 0
  const { tokens, registry } = await startUploads(
    () => (request, response) => {
      const isTooMuch = request.method === 'PUT' && request.body.length > 0
      const status = isTooMuch ? 413 : request.method === 'PUT' ? 201 : 202
      answer(status, { location: '/u' })(request, response)
    },
    () => {
      now += LIFE_MS
    },
  )
  await using _registry = registry
  await using _tokens = tokens
  const { client, context } = clientOf({ credentials: canary, retry: { now: () => now } })
  await using _ = client
  const origin = client.repository(registry.host, 'a')
  const blob = { descriptor: blobOf(bytes), origin, open: async () => Readable.from([bytes]) }
  expect(await origin.putBlob(blob, context)).toBe('copied')
  const patches = registry.seen.filter(({ method }) => method === 'PATCH')
  expect(patches.length).toBeGreaterThan(1)
  expect(Buffer.concat(patches.map(({ body }) => body)).equals(bytes)).toBe(true)
  // One for what came before the chunks, and one after each of them.
  expect(tokens.seen).toHaveLength(patches.length + 1)
  expect(new Set(patches.map(({ headers }) => headers.authorization)).size).toBe(patches.length)
  expect(patches.every(({ headers }) => headers.authorization !== undefined)).toBe(true)
})

test('R109: an upload that is refused after its bytes went out is sent again from the start', async () => {
  const bytes = randomBytes(2, 300_000)
  const { tokens, registry, challenge } = await startUploads(
    token => (token === 1 ? answer(401, challenge) : answer(201)),
    () => {},
  )
  await using _registry = registry
  await using _tokens = tokens
  const { client, context, events } = clientOf({ credentials: canary })
  await using _ = client
  let opened = 0
  const open = async () => {
    opened++
    return Readable.from([bytes.subarray(0, 1000), bytes.subarray(1000)])
  }
  const origin = client.repository(registry.host, 'a')
  const blob = { descriptor: blobOf(bytes), origin, open }
  expect(await origin.putBlob(blob, context)).toBe('copied')
  const puts = registry.seen.filter(({ method }) => method === 'PUT')
  expect(puts.map(({ headers }) => headers.authorization)).toEqual(['Bearer t1', 'Bearer t2'])
  expect(puts.every(({ body }) => body.equals(bytes))).toBe(true)
  expect(opened).toBe(2)
  // It is no retry: nothing of the network failed (rule R108).
  expect(events.filter(({ type }) => type === 'retrying')).toEqual([])
})
