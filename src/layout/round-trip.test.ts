import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { imagePath, missingImages } from '../../test/support/images.js'
import { openArchive } from '../archive/open-archive.js'
import { createContext } from '../content/context.js'
import type { ImageFile } from '../content/image-file.js'
import { MemoryStore } from '../content/memory-store.js'
import type { Sink, Source } from '../content/store.js'
import { copy } from '../copy/copy.js'
import { DirSink } from './dir-sink.js'
import { openDir } from './dir-source.js'
import { LayoutArchiveSink } from './layout-archive-sink.js'
import { openLayout } from './layout-source.js'
import { LayoutStore } from './layout-store.js'

const context = createContext()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-round-trip-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const open = async (name: string): Promise<ImageFile> =>
  await openLayout(await openArchive(name, { signal: context.signal }), context)

async function copyTo(sink: Sink, source: Source, root: string, tags: string[]): Promise<void> {
  const { targets } = await copy(source, root, [{ sink, tags }], context)
  expect(targets.map(({ error }) => error)).toEqual([undefined])
}

/** Copies every image of a file; the n-th gets the tag `n`. */
async function copyAll(from: ImageFile, sink: Sink): Promise<string[]> {
  for (const [number, { source, root }] of from.images.entries()) {
    await copyTo(sink, source, root, [`${number}`])
  }
  return from.images.map((image, number) => `${number} ${image.digest}`)
}

const listed = ({ images }: ImageFile): string[] =>
  images.flatMap(({ names, digest }) => names.map(name => `${name} ${digest}`)).sort()

/** Copying checks every manifest and blob, so it reads a written file to its last byte. */
async function readAll(file: ImageFile): Promise<void> {
  await copyAll(file, new MemoryStore('check'))
}

const names = [
  'buildkit-oci-multi-attest.tar',
  'crane-nested-index',
  'layouts/sha512.tar',
  'layouts/empty-layers.tar',
  'layouts/referrers.tar',
  'layouts/wide-index.tar',
  'skopeo122-many-refs',
  'oras-artifact',
]

describe.skipIf(missingImages())('a copied image', () => {
  it.each(names)('arrives whole in a layout folder and in an archive: %s', async name => {
    await using from = await open(imagePath(name))
    const layout = join(folder, 'layout')
    {
      await using store = await LayoutStore.open(layout, { create: true })
      const expected = await copyAll(from, store)
      await using written = await open(layout)
      expect(listed(written)).toEqual(expected)
      expect(written.images).toHaveLength(from.images.length)
      await readAll(written)
    }
    expect((await readdir(layout)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])

    const archive = join(folder, 'image.tar')
    {
      await using sink = await LayoutArchiveSink.open(archive)
      const expected = await copyAll(from, sink)
      await using written = await open(archive)
      expect(listed(written)).toEqual(expected)
      await readAll(written)
    }
  })

  it('arrives whole in a dir folder', async () => {
    await using from = await open(imagePath('buildkit-oci-multi-attest.tar'))
    const image = from.images[0]
    if (image === undefined) throw new Error('the archive has an image')
    await using sink = await DirSink.open(join(folder, 'dir'))
    await copyTo(sink, image.source, image.root, [])
    await using written = await openDir(
      await openArchive(join(folder, 'dir'), { signal: context.signal }),
      context,
    )
    expect(written.images[0]?.digest).toBe(image.digest)
    await readAll(written)
  })

  it('is the same archive whether it is read from a folder or from an archive', async () => {
    const paths = ['one.tar', 'two.tar'].map(name => join(folder, name))
    for (const [position, path] of paths.entries()) {
      await using from = await open(position === 0 ? imagePath('crane-nested-index') : (paths[0] ?? ''))
      await using sink = await LayoutArchiveSink.open(path)
      await copyAll(from, sink)
    }
    const [one, two] = await Promise.all(paths.map(path => readFile(path)))
    expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true)
  })
})
