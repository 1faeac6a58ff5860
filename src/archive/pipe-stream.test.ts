import { execFileSync } from 'node:child_process'
import { constants, openSync } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../../test/support/archive-builder.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { openArchive, openArchiveStream } from './open-archive.js'
import { PipeStream } from './pipe-stream.js'

const bytes = randomBytes(7, 1_000_000)

describe.skipIf(process.platform === 'win32')('a pipe', () => {
  let folder: TemporaryFolder
  let writer: FileHandle
  let pipe: PipeStream

  beforeEach(async () => {
    folder = await temporaryFolder()
    const path = join(folder.path, 'pipe')
    execFileSync('mkfifo', [path])
    // Neither end waits for the other one.
    const fd = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK)
    writer = await open(path, 'w')
    pipe = new PipeStream(fd)
  })

  afterEach(async () => {
    pipe.destroy()
    await writer.close().catch(() => {})
    await folder[Symbol.asyncDispose]()
  })

  /** Writes to the pipe, and closes it. */
  async function feed(content: Uint8Array): Promise<void> {
    await writer.writeFile(content)
    await writer.close()
  }

  it('is read into the memory of its reader, whatever comes at once', async () => {
    const fed = feed(bytes)
    const into = Buffer.alloc(bytes.length + 100)
    let filled = 0
    for (const size of [1, 511, 70_000, 3, 300_000, 200_000, 65_536]) {
      expect(await pipe.readInto(into.subarray(filled, filled + size))).toBe(size)
      filled += size
    }
    expect(await pipe.readInto(into.subarray(filled))).toBe(bytes.length - filled)
    expect(into.subarray(0, bytes.length).equals(bytes)).toBe(true)
    expect(await pipe.readInto(into)).toBe(0)
    await fed
  })

  it('gives what is there where that is enough', async () => {
    await writer.writeFile('three')
    const into = Buffer.alloc(100)
    expect(await pipe.readInto(into, 1)).toBe(5)
    const more = pipe.readInto(into, 6)
    await writer.writeFile('six')
    await writer.writeFile('nine')
    expect(await more).toBe(7)
    expect(`${into.subarray(0, 7)}`).toBe('sixnine')
  })

  it('is read as a stream, too', async () => {
    const [read] = await Promise.all([buffer(pipe), feed(bytes)])
    expect(read.equals(bytes)).toBe(true)
  })

  it('ends the waiting of its reader when it is destroyed', async () => {
    const waiting = pipe.readInto(Buffer.alloc(10))
    pipe.on('error', () => {})
    pipe.destroy(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(pipe.readInto(Buffer.alloc(10))).rejects.toThrow('enough')
  })

  it.each([
    ['plain', (archive: Buffer) => archive],
    ['compressed', (archive: Buffer) => gzipSync(archive)],
  ])('gives the same files of a %s archive as a file does', async (_name, pack) => {
    const path = join(folder.path, 'image.tar')
    await writeDockerArchive(path, [{ layers: [{ seed: 1, size: 2_500_000 }, { a: 'small' }] }])
    const { signal } = new AbortController()
    const fed = open(path).then(async file => {
      await using opened = file
      await feed(pack(await opened.readFile()))
    })
    await using piped = await openArchiveStream(pipe, 'standard input', { signal })
    await fed
    await using filed = await openArchive(path, { signal })
    expect([...piped.names()]).toEqual([...filed.names()])
    for (const name of filed.names()) {
      expect((await buffer(await piped.open(name))).equals(await buffer(await filed.open(name)))).toBe(true)
    }
  })

  it('is closed when the archive is given up', async () => {
    const controller = new AbortController()
    const opening = openArchiveStream(pipe, 'standard input', { signal: controller.signal })
    await writer.writeFile(bytes.subarray(0, 100))
    controller.abort()
    await expect(opening).rejects.toMatchObject({ kind: 'interrupted' })
    expect(pipe.destroyed).toBe(true)
  })
})
