import { createHash } from 'node:crypto'
import { link, readdir, readFile, rename, stat, truncate, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import type { Chunks } from '../content/chunks.js'
import { digestOf } from '../content/digest.js'
import { partialPrefix, tidyPartialFiles, writeResumable } from './partial-file.js'

const MIB = 1024 * 1024
const BYTES = randomBytes(1, 4 * MIB)
const EXPECTED = { digest: digestOf(BYTES), size: BYTES.length }
const PREFIX = partialPrefix(EXPECTED.digest)
const HOST = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
/** Names of files of a process that has ended, and of one on another machine. */
const DEAD = `${PREFIX}-${HOST}-999999999-0123456789ab`
const FOREIGN = `${PREFIX}-00000000-1-0123456789ab`

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

const at = (name: string) => join(folder.path, name)

/** Gives the bytes from an offset on, up to one; then it breaks off, with an error where there is one. */
function contentUpTo(end: number, error?: Error, bytes = BYTES) {
  const offsets: number[] = []
  const resumed: number[] = []
  const write = () => {
    const open = async (from: number) => {
      offsets.push(from)
      return Readable.from(pieces(bytes, from, end, error))
    }
    const content = {
      expected: EXPECTED,
      what: 'blob x',
      open,
      resuming: (from: number) => resumed.push(from),
    }
    const place = (path: string) => rename(path, at('blob'))
    return writeResumable(folder.path, content, place, {
      signal: new AbortController().signal,
      durable: true,
    })
  }
  return { write, offsets, resumed }
}

function* pieces(bytes: Buffer, from: number, end: number, error?: Error) {
  for (let start = from; start < end; start += 65536)
    yield bytes.subarray(start, Math.min(start + 65536, end))
  if (error !== undefined) throw error
}

const whole = () => contentUpTo(BYTES.length)

describe('a file that breaks off', () => {
  it('is gone on with by the next run, and has its name only when it is complete', async () => {
    await expect(contentUpTo(3 * MIB, new Error('cut')).write()).rejects.toThrow('cut')
    const [name, ...others] = await readdir(folder.path)
    expect(name?.startsWith(PREFIX)).toBe(true)
    expect(others).toEqual([])
    const { size } = await stat(at(name ?? ''))
    expect(size).toBeGreaterThan(2 * MIB)

    const next = whole()
    await next.write()
    expect({ offsets: next.offsets, resumed: next.resumed }).toEqual({ offsets: [size], resumed: [size] })
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
    expect(await readdir(folder.path)).toEqual(['blob'])
  })

  it('is not kept when little of it came', async () => {
    await expect(contentUpTo(MIB / 2, new Error('cut')).write()).rejects.toThrow('cut')
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is not kept when the disk was full', async () => {
    const full = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    await expect(contentUpTo(3 * MIB, full).write()).rejects.toBe(full)
    expect(await readdir(folder.path)).toEqual([])
  })

  it('is not kept when its content is wrong', async () => {
    const wrong = contentUpTo(BYTES.length, undefined, randomBytes(2, BYTES.length))
    await expect(wrong.write()).rejects.toMatchObject({ code: 'digest-mismatch' })
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('what an earlier run left', () => {
  it('is downloaded once more as a whole when it turns out wrong (R247)', async () => {
    const torn = Buffer.concat([BYTES.subarray(0, MIB), Buffer.alloc(MIB)])
    await writeFile(at(DEAD), torn)
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([2 * MIB, 0])
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
  })

  it('is nothing to go on with when it is longer than the whole', async () => {
    await writeFile(at(DEAD), Buffer.concat([BYTES, BYTES]))
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([0])
    expect((await stat(at('blob'))).size).toBe(BYTES.length)
  })

  it('needs no more bytes when it was complete', async () => {
    await writeFile(at(DEAD), BYTES)
    const next = whole()
    await next.write()
    expect(next.resumed).toEqual([BYTES.length])
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
  })

  it('is the largest of several, and the others go', async () => {
    await writeFile(at(DEAD), BYTES.subarray(0, 2 * MIB))
    await writeFile(at(DEAD.replace('ab', 'cd')), BYTES.subarray(0, 3 * MIB))
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([3 * MIB])
    expect(await readdir(folder.path)).toEqual(['blob'])
  })

  it('is left alone while its owner may be at work', async () => {
    const living = [FOREIGN, `${PREFIX}-${HOST}-${process.ppid}-0123456789ab`]
    for (const name of living) await writeFile(at(name), BYTES.subarray(0, 2 * MIB))
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([0])
    expect((await readdir(folder.path)).sort()).toEqual([...living, 'blob'].sort())
  })

  it('of another machine is gone on with when nothing was written for hours', async () => {
    await writeFile(at(FOREIGN), BYTES.subarray(0, 2 * MIB))
    const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1000)
    await utimes(at(FOREIGN), longAgo, longAgo)
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([2 * MIB])
  })

  it('is never written to when it is another file as well', async () => {
    await writeFile(at('other'), BYTES.subarray(0, 2 * MIB))
    await link(at('other'), at(DEAD))
    const next = whole()
    await next.write()
    expect(next.offsets).toEqual([0])
    expect((await stat(at('other'))).size).toBe(2 * MIB)
  })

  it('goes after a week', async () => {
    await writeFile(at(DEAD), BYTES)
    await writeFile(at(FOREIGN), BYTES)
    const longAgo = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000)
    await utimes(at(DEAD), longAgo, longAgo)
    await tidyPartialFiles(folder.path)
    expect(await readdir(folder.path)).toEqual([FOREIGN])
  })
})

describe('a large file', () => {
  const SIZE = 50 * MIB + 12_345
  const content = Buffer.alloc(SIZE, randomBytes(7, 3 * MIB + 1))

  /** Gives bytes as connections do: from memory that begins at a page, and is used again. */
  async function* inPages(from: number, length: number) {
    const memory = Buffer.from(new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true }).buffer)
    for (let start = from; start < SIZE; start += length) {
      memory.fill(255)
      yield memory.subarray(0, content.copy(memory, 0, start, Math.min(start + length, SIZE)))
    }
  }

  const write = (
    length: number,
    open: (from: number) => Promise<Chunks> = async from => inPages(from, length),
  ) =>
    writeResumable(
      folder.path,
      { expected: { digest: digestOf(content), size: SIZE }, what: 'blob x', open },
      path => rename(path, at('blob')),
      { signal: new AbortController().signal, durable: false },
    )

  it.each([65_536, MIB, 2 * MIB, 100_000])('is the same from pieces of %i bytes', async length => {
    await write(length)
    expect((await readFile(at('blob'))).equals(content)).toBe(true)
  })

  it.each([2 * MIB, 2 * MIB + 1])('is gone on with at byte %i', async offset => {
    const dead = DEAD.replace(PREFIX, partialPrefix(digestOf(content)))
    await writeFile(at(dead), content.subarray(0, offset))
    await write(MIB)
    expect((await readFile(at('blob'))).equals(content)).toBe(true)
  })

  it('is not kept when its content is wrong', async () => {
    const wrong = Buffer.from(content)
    wrong.fill(1, SIZE - 1)
    const given = (bytes: Buffer) =>
      write(MIB, async from => Readable.from(pieces(bytes, from, bytes.length)))
    await expect(given(wrong)).rejects.toMatchObject({ code: 'digest-mismatch' })
    await expect(given(wrong.subarray(1))).rejects.toThrow(`should have ${SIZE} bytes but has ${SIZE - 1}`)
    await expect(given(Buffer.concat([wrong, wrong]))).rejects.toThrow(
      /should have \d+ bytes but has at least/,
    )
    expect(await readdir(folder.path)).toEqual([])
  })
})

describe('two runs at once', () => {
  it('work on files of their own, and both end well', async () => {
    await writeFile(at(DEAD), BYTES.subarray(0, 2 * MIB))
    const runs = [whole(), whole()]
    await Promise.all(runs.map(({ write }) => write()))
    expect(runs.flatMap(({ offsets }) => offsets).sort()).toEqual([0, 2 * MIB])
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
    expect(await readdir(folder.path)).toEqual(['blob'])
  })

  it('do not disturb each other when one breaks off', async () => {
    const broken = contentUpTo(3 * MIB, new Error('cut'))
    const [first] = await Promise.allSettled([broken.write(), whole().write()])
    expect(first.status).toBe('rejected')
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
    await truncate(at('blob'), 0)
    const next = whole()
    await next.write()
    expect(next.offsets[0]).toBeGreaterThan(MIB)
    expect((await readFile(at('blob'))).equals(BYTES)).toBe(true)
  })
})
