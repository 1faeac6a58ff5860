import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { missingImages } from '../../test/support/images.js'
import { gzipStream } from '../compression/gzip.js'
import { digestOf } from '../content/digest.js'
import { TarWriter } from '../tar/tar-writer.js'
import { openArchive, openArchiveStream } from './open-archive.js'

const isMissing = missingImages() !== undefined
const IMAGES = fileURLToPath(new URL('../../../shared/images/', import.meta.url))
const { signal } = new AbortController()

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

/** A tar of these files, in memory. */
async function tarOf(files: Record<string, Buffer>): Promise<Buffer> {
  const output = new PassThrough({ highWaterMark: 2 ** 28 })
  const tar = new TarWriter(output)
  for (const [name, content] of Object.entries(files)) await tar.addFile(name, content.length, content)
  await tar.finish()
  output.end()
  return await buffer(output)
}

const layer = () => tarOf({ 'etc/motd': Buffer.alloc(3_000_000, 'hello ') })

describe('openArchiveStream', () => {
  it('compresses layers as they pass, to the same bytes as from a file', async () => {
    const raw = await layer()
    const archive = await tarOf({ 'a/layer.tar': raw, 'manifest.json': Buffer.from('[]') })
    await using files = await openArchiveStream(Readable.from([archive]), 'standard input', { signal })
    const entry = await files.stat('a/layer.tar')
    const expected = await buffer(gzipStream(Readable.from([raw])))
    expect(entry).toMatchObject({ size: raw.length, spooled: { digest: digestOf(raw) } })
    expect(entry?.spooled?.gzip).toMatchObject({ digest: digestOf(expected), size: expected.length })
    const opened = await entry?.spooled?.gzip?.open(10)
    expect(opened && (await buffer(opened))).toEqual(expected.subarray(10))
  })

  it('compresses with the level asked for', async () => {
    const raw = await layer()
    const archive = await tarOf({ 'layer.tar': raw })
    const options = { signal, gzipLevel: 1 }
    await using files = await openArchiveStream(Readable.from([archive]), 'standard input', options)
    const expected = await buffer(gzipStream(Readable.from([raw]), { level: 1 }))
    expect((await files.stat('layer.tar'))?.spooled?.gzip?.digest).toBe(digestOf(expected))
  })

  it('gives a compressed layer back raw, from any offset', async () => {
    const raw = await layer()
    const archive = await tarOf({ 'layer.tar': raw })
    await using files = await openArchiveStream(Readable.from([archive]), 'standard input', { signal })
    expect((await buffer(await files.open('layer.tar'))).equals(raw)).toBe(true)
    expect((await buffer(await files.open('layer.tar', 2_000_001))).equals(raw.subarray(2_000_001))).toBe(
      true,
    )
    expect(await files.read('layer.tar', 257, 5)).toEqual(Buffer.from('ustar'))
    expect(await files.read('layer.tar', raw.length - 3, 100)).toEqual(Buffer.alloc(3))
  })

  it('keeps what is compressed already, or no tar, as it came', async () => {
    const compressed = gzipSync(await layer())
    const archive = await tarOf({ 'layer.tar.gz': compressed, VERSION: Buffer.from('1.0') })
    await using files = await openArchiveStream(Readable.from([archive]), 'standard input', { signal })
    expect((await files.stat('layer.tar.gz'))?.spooled).toEqual({ digest: digestOf(compressed) })
    expect((await files.stat('VERSION'))?.spooled).toEqual({ digest: digestOf(Buffer.from('1.0')) })
  })

  it('compresses the empty tar that an empty layer is', async () => {
    const archive = await tarOf({ 'layer.tar': Buffer.alloc(1024) })
    await using files = await openArchiveStream(Readable.from([archive]), 'standard input', { signal })
    const opened = await (await files.stat('layer.tar'))?.spooled?.gzip?.open()
    expect(opened && gunzipSync(await buffer(opened))).toEqual(Buffer.alloc(1024))
  })

  it.skipIf(isMissing).each([
    ['is disposed', 'skopeo122-oci-archive.tar'],
    ['cannot be opened', 'broken/truncated-oci-half.tar'],
    ['is no image', 'broken/text.tar'],
  ])('leaves nothing in its temporary folder when the archive %s', async (_when, name) => {
    const options = { signal, spoolDirectory: folder }
    const files = await openArchiveStream(createReadStream(IMAGES + name), 'standard input', options).catch(
      () => undefined,
    )
    await files?.[Symbol.asyncDispose]()
    expect(await readdir(folder)).toEqual([])
  })

  it('stops waiting for its input when it is interrupted, and cleans up', async () => {
    const controller = new AbortController()
    const input = new PassThrough()
    input.write((await tarOf({ 'layer.tar': await layer() })).subarray(0, 1_000_000))
    const options = { signal: controller.signal, spoolDirectory: folder }
    const opening = openArchiveStream(input, 'standard input', options)
    setImmediate(() => controller.abort())
    await expect(opening).rejects.toMatchObject({ kind: 'interrupted' })
    expect(input.destroyed).toBe(true)
    expect(await readdir(folder)).toEqual([])
  })

  it.skipIf(isMissing)('says where the temporary file could not be written', async () => {
    const input = createReadStream(`${IMAGES}skopeo122-oci-archive.tar`)
    const options = { signal, spoolDirectory: join(folder, 'absent') }
    await expect(openArchiveStream(input, 'standard input', options)).rejects.toMatchObject({
      code: 'spool-failed',
      message: expect.stringContaining(`cannot write a temporary file in ${join(folder, 'absent')}`),
      hint: 'Set TMPDIR to a folder with more room.',
    })
  })
})

describe('openArchive', () => {
  it('says which file is missing', async () => {
    await expect(openArchive('absent.tar', { signal })).rejects.toMatchObject({
      kind: 'not-found',
      code: 'no-such-file',
      message: 'absent.tar does not exist',
    })
  })

  it('accepts a file that is there twice with the same content', async () => {
    const one = await tarOf({ 'a.json': Buffer.from('{}') })
    const path = join(folder, 'a.tar')
    await writeFile(path, Buffer.concat([one.subarray(0, 1024), one]))
    await using files = await openArchive(path, { signal })
    expect(await files.stat('a.json')).toMatchObject({ name: 'a.json', size: 2 })
  })

  it.skipIf(isMissing)('is interrupted by a signal that was aborted before', async () => {
    const aborted = AbortSignal.abort()
    const opening = openArchive(`${IMAGES}skopeo122-oci-archive.tar`, { signal: aborted })
    await expect(opening).rejects.toMatchObject({ kind: 'interrupted' })
  })

  it('reads parts of a file in place', async () => {
    const path = join(folder, 'a.tar')
    await writeFile(path, await tarOf({ a: Buffer.from('hello'), b: Buffer.from('world') }))
    await using files = await openArchive(path, { signal })
    expect(Buffer.from(await files.read('b', 1, 3)).toString()).toBe('orl')
    expect(Buffer.from(await files.read('a', 3, 100)).toString()).toBe('lo')
    expect((await files.read('a', 9, 100)).length).toBe(0)
    expect((await buffer(await files.open('b', 2))).toString()).toBe('rld')
  })
})

describe('openArchive of a folder', () => {
  it('reads files, and links that stay inside', async () => {
    await mkdir(join(folder, 'blobs'))
    await writeFile(join(folder, 'blobs', 'one'), 'hello')
    await symlink('blobs/one', join(folder, 'link'))
    await using files = await openArchive(folder, { signal })
    expect([...files.names()]).toEqual(['blobs/one', 'link'])
    expect(await files.stat('link')).toEqual({ name: 'blobs/one', size: 5 })
    expect((await buffer(await files.open('./blobs/one', 1))).toString()).toBe('ello')
    expect(Buffer.from(await files.read('link', 1, 2)).toString()).toBe('el')
    expect(await files.stat('blobs/two')).toBeUndefined()
    expect(await files.stat('blobs/one/more')).toBeUndefined()
  })

  it('never reads a file outside (R223)', async () => {
    await mkdir(join(folder, 'layout'))
    await writeFile(join(folder, 'secret'), 'secret')
    await symlink('../secret', join(folder, 'layout', 'link'))
    await symlink('/etc', join(folder, 'layout', 'etc'))
    await symlink('loop', join(folder, 'layout', 'loop'))
    await using files = await openArchive(join(folder, 'layout'), { signal })
    await expect(files.open('link')).rejects.toMatchObject({ code: 'unsafe-link' })
    await expect(files.open('etc/hostname')).rejects.toMatchObject({ code: 'unsafe-link' })
    await expect(files.open('../secret')).rejects.toMatchObject({ code: 'unsafe-path' })
    await expect(files.open('loop')).rejects.toMatchObject({ code: 'bad-link' })
    await expect(files.open('absent')).rejects.toMatchObject({ code: 'missing-file' })
  })

  it('refuses a folder in place of a file', async () => {
    await mkdir(join(folder, 'blobs'))
    await using files = await openArchive(folder, { signal })
    await expect(files.stat('blobs')).rejects.toMatchObject({ code: 'bad-member-type' })
  })
})
