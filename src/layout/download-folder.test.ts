import { createHash } from 'node:crypto'
import { chmod, link, lstat, mkdir, readdir, stat, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { blobFrom, descriptorOf, noise, putImageBlobs } from '../../test/contract/store-fixtures.js'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { openArchive } from '../archive/open-archive.js'
import { createContext } from '../content/context.js'
import { hexOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { parseManifest } from '../content/manifest.js'
import { MemoryStore } from '../content/memory-store.js'
import type { RawManifest } from '../content/store.js'
import { DirSink } from './dir-sink.js'
import { openGathering } from './download-folder.js'
import { LayoutArchiveSink } from './layout-archive-sink.js'

const MIB = 1024 * 1024
const LARGE = noise(3 * MIB, 'large')
const BLOB = descriptorOf(LARGE)
/** The owner of a run that has ended. */
const DEAD = `${createHash('sha256').update(hostname()).digest('hex').slice(0, 8)}-999999999-0123456789ab`

let folder: TemporaryFolder
let cache: string
beforeEach(async () => {
  folder = await temporaryFolder()
  cache = join(folder.path, 'cache')
})
afterEach(() => folder[Symbol.asyncDispose]())

const downloads = () => join(cache, 'downloads')
const target = () => join(folder.path, 'image.tar')

/** What is in the cache, without owners. */
async function kept(): Promise<string[]> {
  const names = await readdir(downloads()).catch(() => [])
  return names.map(name => name.replace(/-[0-9a-f]{8}-\d+-[0-9a-f]{12}$/, ''))
}

/** Puts a blob of which only so much comes the first time, and tells the offsets that were asked for. */
async function put(sink: LayoutArchiveSink | DirSink, end = LARGE.length) {
  const offsets: number[] = []
  const events: CopyEvent[] = []
  const blob = blobFrom(BLOB, from => {
    offsets.push(from)
    return Readable.from(pieces(from, end), { objectMode: false })
  })
  const putting = sink.putBlob(blob, createContext({ emit: event => events.push(event) }))
  const error = await putting.then(
    () => undefined,
    (error: unknown) => error,
  )
  return { offsets, events, error }
}

function* pieces(from: number, end: number) {
  for (let start = from; start < end; start += 65536)
    yield LARGE.subarray(start, Math.min(end, start + 65536))
  if (end < LARGE.length) throw new Error('cut')
}

/** Makes the folder of a run that was killed, with one complete blob. */
async function leaveKilledRun(): Promise<string> {
  const path = join(downloads(), `run-${DEAD}`, 'layout/blobs/sha256', hexOf(BLOB.digest))
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, LARGE)
  await writeFile(join(dirname(path), 'a'.repeat(64)), 'small')
  return path
}

describe('a download for an archive', () => {
  it('that broke off is gone on with by the next run, whatever it writes', async () => {
    {
      await using sink = await LayoutArchiveSink.open(target(), { cacheFolder: cache })
      expect((await put(sink, 2 * MIB)).error).toMatchObject({ message: 'cut' })
    }
    expect(await kept()).toEqual([`.incomplete-sha256-${hexOf(BLOB.digest)}`])
    expect((await stat(downloads())).mode & 0o777).toBe(0o700)
    await using sink = await DirSink.open(join(folder.path, 'dir'), cache)
    const { offsets, events } = await put(sink)
    expect(offsets[0]).toBeGreaterThan(MIB)
    expect(events).toEqual([
      { type: 'resuming', operation: expect.any(String), offset: offsets[0], size: LARGE.length },
    ])
  })

  it('that was complete when its run was killed is checked, and not had again', async () => {
    await leaveKilledRun()
    await using sink = await LayoutArchiveSink.open(target(), { cacheFolder: cache })
    expect(await put(sink)).toMatchObject({ offsets: [LARGE.length], error: undefined })
    expect((await kept()).sort()).toEqual(['run'])
  })

  it('that was complete and has been changed since is had once more', async () => {
    const path = await leaveKilledRun()
    await writeFile(path, Buffer.alloc(LARGE.length))
    await using sink = await LayoutArchiveSink.open(target(), { cacheFolder: cache })
    expect(await put(sink)).toMatchObject({ offsets: [LARGE.length, 0], error: undefined })
  })

  it('is never a blob of a layout, whatever becomes of it', async () => {
    const path = await leaveKilledRun()
    await link(path, join(folder.path, 'layout-blob'))
    await using sink = await LayoutArchiveSink.open(target(), { cacheFolder: cache })
    expect(await put(sink)).toMatchObject({ offsets: [0], error: undefined })
    expect((await stat(join(folder.path, 'layout-blob'))).size).toBe(LARGE.length)
  })

  it('never gets into the archive of a run that did not put it', async () => {
    await leaveKilledRun()
    const store = new MemoryStore('source')
    const image = await putImageBlobs(store, 'other')
    await write(store, image)
    await using archive = await openArchive(target(), { signal: new AbortController().signal })
    const names = [...archive.names()].filter(name => name.startsWith('blobs/'))
    expect(names).toHaveLength(3)
    expect(names).not.toContain(`blobs/sha256/${hexOf(BLOB.digest)}`)
    expect(await kept()).toEqual([`.incomplete-sha256-${hexOf(BLOB.digest)}`])
  })

  it('leaves nothing in the cache once the archive is there', async () => {
    const store = new MemoryStore('source')
    await write(store, await putImageBlobs(store, 'other'))
    expect(await readdir(cache)).toEqual([])
  })

  it('goes after a week', async () => {
    await mkdir(downloads(), { recursive: true })
    const old = join(downloads(), `.incomplete-sha256-${hexOf(BLOB.digest)}-${DEAD}`)
    await writeFile(old, LARGE)
    const longAgo = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000)
    await utimes(old, longAgo, longAgo)
    const store = new MemoryStore('source')
    await write(store, await putImageBlobs(store, 'other'))
    expect(await readdir(cache)).toEqual([])
  })
})

async function write(store: MemoryStore, image: RawManifest): Promise<void> {
  const context = createContext()
  await using sink = await LayoutArchiveSink.open(target(), { cacheFolder: cache })
  const parsed = parseManifest(image.bytes, image.descriptor.mediaType, 'image')
  for (const descriptor of parsed.kind === 'image' ? [parsed.config, ...parsed.layers] : []) {
    await sink.putBlob(
      { descriptor, origin: store, open: from => store.openBlob(descriptor, context, from) },
      context,
    )
  }
  await sink.putManifest(image, ['1'], context)
  await sink.commit(context)
}

describe('where an image is gathered', () => {
  it('is beside the target without a cache, and where there can be none', async () => {
    await writeFile(cache, 'a file')
    for (const place of [undefined, cache, join(cache, 'below')]) {
      await using gathering = await openGathering(place, target())
      expect(dirname(gathering.path)).toBe(folder.path)
      await gathering.make()
      expect((await lstat(gathering.path)).mode & 0o777).toBe(0o700)
    }
    expect(await readdir(folder.path)).toEqual(['cache'])
  })

  it('is beside the target when others may write to the cache', async () => {
    await mkdir(downloads(), { recursive: true })
    await chmod(downloads(), 0o777)
    await using gathering = await openGathering(cache, target())
    expect(dirname(gathering.path)).toBe(folder.path)
  })

  it('is made at the first write only', async () => {
    await using gathering = await openGathering(cache, target())
    expect(dirname(gathering.path)).toBe(downloads())
    expect(await readdir(folder.path)).toEqual([])
  })
})
