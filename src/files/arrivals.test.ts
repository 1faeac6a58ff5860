import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { digestOf } from '../content/digest.js'
import { Arrivals } from './arrivals.js'

const BYTES = Buffer.from('some bytes that come in parts')
const expected = { digest: digestOf(BYTES), size: BYTES.length }
let folder: TemporaryFolder
let arrivals: Arrivals
let ending: AbortController
/** Those that a test has not read to their end have a file open. */
let readers: AsyncIterator<Buffer>[]

beforeEach(async () => {
  folder = await temporaryFolder()
  arrivals = new Arrivals()
  ending = new AbortController()
  readers = []
})
afterEach(async () => {
  ending.abort()
  await Promise.allSettled(readers.map(async reader => await reader.return?.()))
  await folder[Symbol.asyncDispose]()
})

function pathOf(name: string): string {
  return join(folder.path, name)
}

async function write(path: string, from: number, to: number): Promise<void> {
  const file = await open(path, from === 0 ? 'w' : 'r+')
  await file.write(BYTES, from, to - from, from)
  await file.close()
  arrivals.grow(expected.digest, to)
}

function read(abort = ending.signal) {
  const reader = arrivals.read(expected, 'blob x', abort)
  readers.push(reader)
  return reader
}

it('gives what is there, waits for more, and goes on under another name', async () => {
  const reading = read()
  const first = reading.next()
  arrivals.begin(expected.digest, pathOf('a'))
  await write(pathOf('a'), 0, 4)
  expect(`${(await first).value}`).toBe('some')
  const second = reading.next()
  await write(pathOf('a'), 4, 10)
  expect(`${(await second).value}`).toBe(' bytes')
  await write(pathOf('a'), 10, BYTES.length)
  await rename(pathOf('a'), pathOf('b'))
  arrivals.place(expected.digest, pathOf('b'))
  expect(`${(await reading.next()).value}`).toBe(' that come in parts')
  expect((await reading.next()).done).toBe(true)
  expect(`${(await read().next()).value}`).toBe(`${BYTES}`)
})

it('ends when the file is complete, and fails when what was read turned out wrong and is had once more', async () => {
  for (const isRight of [true, false]) {
    arrivals.begin(expected.digest, pathOf('a'))
    const reading = read()
    const first = reading.next()
    const offered = arrivals.offer(expected.digest, 0, BYTES)
    expect(`${(await first).value}`).toBe(`${BYTES}`)
    const end = reading.next()
    await offered
    if (isRight) arrivals.place(expected.digest, pathOf('a'))
    else arrivals.begin(expected.digest, pathOf('a'))
    if (isRight) expect((await end).done).toBe(true)
    else await expect(end).rejects.toMatchObject({ code: 'size-mismatch' })
  }
})

it('holds what comes until an awaited reader has come, and then what that one reads', async () => {
  const other = { ...expected, digest: digestOf(Buffer.from('other')) }
  arrivals.awaitReader(new Promise(() => {}))
  arrivals.begin(expected.digest, pathOf('a'))
  arrivals.begin(other.digest, pathOf('b'))
  const held = arrivals.offer(expected.digest, 0, BYTES)
  const unread = arrivals.offer(other.digest, 0, BYTES)
  const reading = read()
  expect(`${(await reading.next()).value}`).toBe(`${BYTES}`)
  await unread
  expect(arrivals.offer(other.digest, BYTES.length, BYTES)).toBeUndefined()
  const end = reading.next()
  await held
  arrivals.place(expected.digest, pathOf('a'))
  expect((await end).done).toBe(true)
})

it('holds nothing any more when nobody will come, or not soon', async () => {
  const late = new Promise(() => {})
  for (const [over, mostMs] of [[Promise.resolve(), 60_000] as const, [late, 1] as const]) {
    arrivals.awaitReader(over, mostMs)
    arrivals.begin(expected.digest, pathOf('a'))
    await arrivals.offer(expected.digest, 0, BYTES)
    expect(arrivals.offer(expected.digest, 0, BYTES)).toBeUndefined()
  }
})

it('waits for the name of a file that has just got another one', async () => {
  arrivals.begin(expected.digest, pathOf('a'))
  await write(pathOf('a'), 0, BYTES.length)
  await rename(pathOf('a'), pathOf('b'))
  const reading = read().next()
  await new Promise(resolve => setTimeout(resolve, 20))
  arrivals.place(expected.digest, pathOf('b'))
  expect(`${(await reading).value}`).toBe(`${BYTES}`)
})

it('fails when the file is begun anew, since what was read may have been wrong', async () => {
  arrivals.begin(expected.digest, pathOf('a'))
  await write(pathOf('a'), 0, 4)
  const reading = read()
  await reading.next()
  arrivals.begin(expected.digest, pathOf('a'))
  arrivals.grow(expected.digest, BYTES.length)
  await expect(reading.next()).rejects.toMatchObject({ code: 'size-mismatch' })
})

it('stops waiting when it is told to', async () => {
  const stop = new AbortController()
  const reading = read(stop.signal).next()
  stop.abort(new Error('no more'))
  await expect(reading).rejects.toThrow('no more')
})

/** Offers some of the bytes; false when nobody takes them. */
function offer(from: number, to: number) {
  const taken = { isTaken: false }
  const offered = arrivals.offer(expected.digest, from, BYTES.subarray(from, to))?.then(() => {
    taken.isTaken = true
  })
  return offered === undefined ? undefined : taken
}

async function settled(): Promise<void> {
  await new Promise(setImmediate)
}

it('gives what is about to come, until the next is asked for', async () => {
  arrivals.begin(expected.digest, pathOf('a'))
  expect(offer(0, 4)).toBeUndefined()
  const reading = read()
  const first = reading.next()
  const offered = offer(0, 4)
  expect(`${(await first).value}`).toBe('some')
  expect(offered?.isTaken).toBe(false)
  const second = reading.next()
  await settled()
  expect(offered?.isTaken).toBe(true)
  // That these bytes are in the file as well is nothing new.
  await write(pathOf('a'), 0, 4)
  const rest = offer(4, BYTES.length)
  expect(`${(await second).value}`).toBe(' bytes that come in parts')
  const end = reading.next()
  await settled()
  arrivals.place(expected.digest, pathOf('b'))
  expect((await end).done).toBe(true)
  expect(rest?.isTaken).toBe(true)
  expect(offer(0, 4)).toBeUndefined()
})

it('lets what comes wait for a reader who lags behind, if all before it can be read', async () => {
  arrivals.begin(expected.digest, pathOf('a'))
  await write(pathOf('a'), 0, 4)
  const reading = read()
  const first = reading.next()
  expect(offer(10, 20)).toBeUndefined()
  const offered = offer(4, 10)
  expect(`${(await first).value}`).toBe('some')
  expect(`${(await reading.next()).value}`).toBe(' bytes')
  await reading.return()
  await settled()
  expect(offered?.isTaken).toBe(true)
})

it('keeps nobody waiting whose reader has left, or of whom there are several', async () => {
  const stop = new AbortController()
  arrivals.begin(expected.digest, pathOf('a'))
  await write(pathOf('a'), 0, 4)
  const reading = read(stop.signal)
  await reading.next()
  const offered = offer(4, 10)
  expect(offered?.isTaken).toBe(false)
  stop.abort(new Error('no more'))
  await reading.return()
  await settled()
  expect(offered?.isTaken).toBe(true)
  const others = [read(), read()]
  const firsts = others.map(async other => await other.next())
  expect(offer(4, 10)).toBeUndefined()
  await Promise.all(firsts)
  await Promise.all(others.map(async other => await other.return()))
})

it('fails when it is begun anew after what was offered', async () => {
  arrivals.begin(expected.digest, pathOf('a'))
  const reading = read()
  const first = reading.next()
  offer(0, 4)
  await first
  arrivals.begin(expected.digest, pathOf('a'))
  const second = reading.next()
  const offered = offer(4, 10)
  await expect(second).rejects.toMatchObject({ code: 'size-mismatch' })
  await settled()
  expect(offered?.isTaken ?? true).toBe(true)
})
