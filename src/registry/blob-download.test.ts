import { buffer } from 'node:stream/consumers'
import { expect, test, vi } from 'vitest'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { readLimited } from '../content/verify.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient } from './client.js'

const BYTES = Buffer.from('0123456789')
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }

/** Sends some of what was asked for and then nothing more. */
function breakAfter(count: number): Answer {
  return (request, response) => {
    const from = Number(/bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0)
    const headers = { 'content-length': BYTES.length - from, 'content-range': `bytes ${from}-9/10` }
    response.writeHead(from === 0 ? 200 : 206, headers)
    if (count === 0) response.flushHeaders()
    response.write(BYTES.subarray(from, from + count), () => response.socket?.destroy())
  }
}

async function pull(answers: Answer[]) {
  await using server = await startScripted([[/./, ...answers]])
  await using client = new RegistryClient({ credentials: anonymous, retry: { sleep: async () => {} } })
  const events: CopyEvent[] = []
  const context = createContext({ emit: event => events.push(event) })
  const body = await client.repository(server.host, 'a').openBlob(DESCRIPTOR, context)
  const outcome = await readLimited(body, 100, 'blob').catch((error: unknown) => error)
  const ranges = server.seen.map(({ headers }) => headers.range)
  return { outcome, events, ranges, seen: server.seen }
}

test('R245, R246: goes on where a download broke off, as often as it moves on, by ranges alone', async () => {
  const { outcome, ranges, events, seen } = await pull([1, 1, 1, 1, 1, 1, 9].map(breakAfter))
  expect(outcome).toEqual(BYTES)
  expect(ranges).toEqual([undefined, ...[1, 2, 3, 4, 5, 6].map(from => `bytes=${from}-`)])
  expect(events[0]).toMatchObject({ type: 'retrying', cause: 'the connection was closed at byte 1 of 10' })
  for (const { headers } of seen) expect(headers).not.toHaveProperty('if-range')
})

test('R35, R245: goes on with a registry that knows no ranges', async () => {
  const { outcome } = await pull([breakAfter(4), answer(200, {}, BYTES)])
  expect(outcome).toEqual(BYTES)
})

test('R245: goes on after a body that is too short', async () => {
  const { outcome, ranges } = await pull([answer(200, {}, BYTES.subarray(0, 7)), breakAfter(3)])
  expect(outcome).toEqual(BYTES)
  expect(ranges).toEqual([undefined, 'bytes=7-'])
})

test('R245: fails after five breaks without a byte', async () => {
  const { outcome, ranges } = await pull([breakAfter(3), breakAfter(0)])
  expect(outcome).toMatchObject({
    kind: 'network',
    code: 'broken-download',
    message: expect.stringMatching(/broke off: the connection was closed at byte 3 of 10 after 5 attempts$/),
  })
  expect(ranges).toHaveLength(5)
})

test('an error of the reader ends it without another request', async () => {
  await using server = await startScripted([[/./, breakAfter(1)]])
  await using client = new RegistryClient({ credentials: anonymous })
  const body = await client.repository(server.host, 'a').openBlob(DESCRIPTOR, createContext())
  body.once('data', () => body.destroy(new Error('the disk is full')))
  await expect(new Promise((_, reject) => body.once('error', reject))).rejects.toThrow('the disk is full')
  expect(server.seen).toHaveLength(1)
})

test.each([
  ['for which no answer came yet', () => {}],
  [
    'that is under way',
    (_request, response) => void response.writeHead(200, { 'content-length': 10 }).write('0'),
  ],
] satisfies [string, Answer][])(
  'a download %s ends without a word when the client is closed',
  async (_what, silent) => {
    await using server = await startScripted([
      [/blobs/, silent],
      [/./, answer(200)],
    ])
    const client = new RegistryClient({ credentials: anonymous })
    const events: CopyEvent[] = []
    const context = createContext({ emit: event => events.push(event) })
    const reading = buffer(client.repository(server.host, 'a').blobChunks(DESCRIPTOR, context))
    const ended = expect(reading).rejects.toThrow('the client was closed')
    await vi.waitFor(() => expect(server.lines()).toContain(`GET /v2/a/blobs/${DESCRIPTOR.digest}`))
    await client[Symbol.asyncDispose]()
    await ended
    expect(events.filter(({ type }) => type === 'retrying')).toEqual([])
    expect(server.lines().filter(line => line.includes('/blobs/'))).toHaveLength(1)
  },
)
