import { type FileHandle, open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { LargeFile } from './large-file.js'
import { PartialOutput, type Told } from './partial-output.js'

const BYTES = randomBytes(3, 3_000_000)
const CHUNK = 70_000
let folder: TemporaryFolder
let handle: FileHandle
let path: string

beforeEach(async () => {
  folder = await temporaryFolder()
  path = join(folder.path, 'file')
  handle = await open(path, 'w')
})
afterEach(async () => {
  await handle.close()
  await folder[Symbol.asyncDispose]()
})

/** Writes all bytes up to an offset. */
async function write(told: Told, to = BYTES.length): Promise<PartialOutput> {
  const file = await LargeFile.of(handle, { path, durable: false })
  const output = new PartialOutput(file, 0, BYTES.length, told)
  for (let at = 0; at < to; at += CHUNK)
    await output.write(BYTES.subarray(at, Math.min(at + CHUNK, to)), () => {})
  return output
}

it('tells what is in the file after each chunk', async () => {
  const told: number[] = []
  const output = await write({ grown: bytes => told.push(bytes) }, 2 * CHUNK)
  expect(told).toEqual([CHUNK, 2 * CHUNK])
  expect((await readFile(path)).equals(BYTES.subarray(0, 2 * CHUNK))).toBe(true)
  await output.close()
})

it('tells nothing of the file while somebody takes the bytes as they come, and then of all of it', async () => {
  const told: number[] = []
  const taken: Buffer[] = []
  const coming = async (_: number, bytes: Buffer) => {
    taken.push(Buffer.from(bytes))
  }
  const output = await write({ grown: bytes => told.push(bytes), coming })
  expect(told).toEqual([])
  await output.end()
  expect(told).toEqual([BYTES.length])
  await output.close()
  expect((await readFile(path)).equals(BYTES)).toBe(true)
  expect(Buffer.concat(taken).equals(BYTES)).toBe(true)
})

it('waits for who takes them, and has written all that came when there is no end', async () => {
  let isRead = false
  const coming = async () => {
    await new Promise(setImmediate)
    isRead = true
  }
  const output = await write({ coming }, 40 * CHUNK)
  expect(isRead).toBe(true)
  await output.close()
  expect((await readFile(path)).equals(BYTES.subarray(0, 40 * CHUNK))).toBe(true)
})

it('ends its write before what was done meanwhile fails', async () => {
  const file = await LargeFile.of(handle, { path, durable: false })
  const output = new PartialOutput(file, 0, BYTES.length, {})
  const failing = output.write(BYTES.subarray(0, CHUNK), () => {
    throw new Error('a wrong digest')
  })
  await expect(failing).rejects.toThrow('a wrong digest')
  expect((await readFile(path)).equals(BYTES.subarray(0, CHUNK))).toBe(true)
  await output.close()
})
