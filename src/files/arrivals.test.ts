import { open, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { digestOf } from '../content/digest.js'
import { Arrivals } from './arrivals.js'

const BYTES = Buffer.from('some bytes that come in parts')
const expected = { digest: digestOf(BYTES), size: BYTES.length }
const { signal } = new AbortController()
let folder: TemporaryFolder
let arrivals: Arrivals

beforeEach(async () => {
  folder = await temporaryFolder()
  arrivals = new Arrivals()
})
afterEach(async () => {
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

function read(abort = signal) {
  return arrivals.read(expected, 'blob x', abort)[Symbol.asyncIterator]()
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
