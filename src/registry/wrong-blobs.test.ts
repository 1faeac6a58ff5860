import { gzipSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MemoryStore } from '../content/memory-store.js'
import { readLimited } from '../content/verify.js'
import { transferBlob } from '../copy/transfer.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient } from './client.js'

const BYTES = Buffer.from('0123456789'.repeat(10))
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }
const WRONG = Buffer.from('x123456789'.repeat(10))

const right = answer(200, {}, BYTES)
const wrong = answer(200, {}, WRONG)

/** Sends the first bytes of what was asked for, and closes the connection. */
function cutAfter(count: number, bytes = BYTES): Answer {
  return ({ headers }, response) => {
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': bytes.length - from,
      'content-range': `bytes ${from}-${bytes.length - 1}/${bytes.length}`,
    })
    response.write(bytes.subarray(from, from + count), () => response.socket?.destroy())
  }
}

/** Copies the blob from a server that gives these answers. */
async function copyFrom(...answers: Answer[]) {
  await using server = await startScripted([[/./, ...answers]])
  await using client = new RegistryClient({ credentials: anonymous, retry: { sleep: async () => {} } })
  const sink = new MemoryStore('here')
  const events: CopyEvent[] = []
  const context = createContext({ emit: event => events.push(event) })
  const outcome = await transferBlob(client.repository(server.host, 'a'), sink, DESCRIPTOR, context).catch(
    (error: unknown) => error,
  )
  if (outcome === 'copied') {
    expect(await readLimited(await sink.openBlob(DESCRIPTOR, context), 200, 'blob')).toEqual(BYTES)
  } else expect(await sink.hasBlob(DESCRIPTOR)).toBe(false)
  const causes = events.flatMap(event => (event.type === 'retrying' ? event.cause : []))
  return { outcome, causes, ranges: server.seen.map(({ headers }) => headers.range) }
}

test('R247: has wrong bytes once more, and takes them when they are right then', async () => {
  const { outcome, causes, ranges } = await copyFrom(wrong, right)
  expect(outcome).toBe('copied')
  expect(ranges).toEqual([undefined, undefined])
  expect(causes).toEqual([expect.stringMatching(/^blob sha256:.* should have the digest sha256:.* but has /)])
})

test('R247: gives up when a second download is as wrong, and keeps nothing', async () => {
  const { outcome, ranges } = await copyFrom(wrong)
  expect(outcome).toMatchObject({ kind: 'corrupt', code: 'digest-mismatch' })
  expect(ranges).toHaveLength(2)
})

test('R247: has all of it from the start when what was put together is wrong', async () => {
  const { outcome, ranges } = await copyFrom(cutAfter(40, WRONG), cutAfter(100), right)
  expect(outcome).toBe('copied')
  expect(ranges).toEqual([undefined, 'bytes=40-', undefined])
})

test('R37: takes no byte more than there should be', async () => {
  const { outcome, ranges } = await copyFrom(answer(200, {}, Buffer.concat([BYTES, Buffer.from('0')])))
  expect(outcome).toMatchObject({
    code: 'size-mismatch',
    message: expect.stringMatching(/has at least 101$/),
  })
  expect(ranges).toHaveLength(2)
})

test('R37: says that a page came instead of the blob', async () => {
  const { outcome } = await copyFrom(answer(200, { 'content-type': 'text/html' }, Buffer.from('<h1>Log in')))
  expect(outcome).toMatchObject({
    kind: 'corrupt',
    code: 'something-else',
    message: expect.stringContaining('answered with something else (text/html)'),
  })
})

test('R13: takes the bytes as they are when they are right, whatever Content-Encoding says', async () => {
  const { outcome, ranges } = await copyFrom(answer(200, { 'content-encoding': 'gzip' }, BYTES))
  expect({ outcome, ranges }).toEqual({ outcome: 'copied', ranges: [undefined] })
})

test.each(['gzip', 'x-gzip'])('R13: takes the decoded bytes when those are right: %s', async encoding => {
  const { outcome, ranges } = await copyFrom(answer(200, { 'content-encoding': encoding }, gzipSync(BYTES)))
  expect({ outcome, ranges }).toEqual({ outcome: 'copied', ranges: [undefined, undefined] })
})

test('R13: refuses what is wrong both ways', async () => {
  const { outcome } = await copyFrom(answer(200, { 'content-encoding': 'gzip' }, WRONG))
  expect(outcome).toMatchObject({ kind: 'corrupt' })
  const { outcome: other } = await copyFrom(answer(200, { 'content-encoding': 'gzip' }, gzipSync(WRONG)))
  expect(other).toMatchObject({ kind: 'corrupt', code: 'digest-mismatch' })
})

test.each([
  ['206 from another byte', answer(206, { 'content-range': 'bytes 30-99/100' }, BYTES.subarray(30))],
  ['206 without a range', answer(206, {}, BYTES.subarray(40))],
  ['several parts', answer(206, { 'content-type': 'multipart/byteranges; boundary=x' }, BYTES.subarray(40))],
  ['416', answer(416, { 'content-range': 'bytes */100' })],
])('R35, R36: has all of it, and throws the start away, after %s', async (_what, odd) => {
  const { outcome, ranges } = await copyFrom(cutAfter(40), odd, right)
  expect({ outcome, ranges }).toEqual({ outcome: 'copied', ranges: [undefined, 'bytes=40-', undefined] })
})

test('R35: a range of unknown total is a range', async () => {
  const rest = answer(206, { 'content-range': 'bytes 40-99/*' }, BYTES.subarray(40))
  const { outcome, ranges } = await copyFrom(cutAfter(40), rest)
  expect({ outcome, ranges }).toEqual({ outcome: 'copied', ranges: [undefined, 'bytes=40-'] })
})

test('R34: a store that denies is asked by a fresh address from the registry', async () => {
  await using store = await startScripted([
    [/expired/, answer(403, {}, Buffer.from('Request has expired'))],
    [/./, right],
  ])
  const to = (path: string) => answer(307, { location: `http://${store.host}/${path}` })
  const { outcome, causes } = await copyFrom(to('expired'), to('fresh'))
  expect(outcome).toBe('copied')
  expect(causes).toEqual([`${store.host}, to which the registry leads, answered 403`])
})

test('R34: a store that always denies is an error soon', async () => {
  await using store = await startScripted([[/./, answer(403)]])
  const { outcome, ranges } = await copyFrom(answer(307, { location: `http://${store.host}/blob` }))
  expect(outcome).toMatchObject({ kind: 'denied' })
  expect(ranges).toHaveLength(3)
})
