import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryFiles } from '../../test/support/memory-files.js'
import { holds, spoiledBytes, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import { openDockerArchive } from '../docker-archive/docker-archive.js'
import { checkVersion } from '../layout/dir-format.js'
import { formatIndexJson, inFixedOrder, parseIndexJson, withNameless, withTag } from '../layout/index-json.js'
import { checkLayoutFile } from '../layout/layout-format.js'
import { openLayout } from '../layout/layout-source.js'
import { entryNamed } from '../layout/names.js'
import { selectImage } from './image-selection.js'
import { parseLocator } from './location.js'

describe('locators', () => {
  it('are refused, or name a place with a path, a reference or neither', async () => {
    const text = textOf(
      'oci:',
      'docker-archive:',
      'dir:',
      'oci-archive:',
      'docker://',
      './',
      '../',
      '-',
      ':',
      'C:\\',
      'a',
      '/',
      '@',
      '1.0',
      '\0',
    )
    await holds(
      fc.tuple(text, fc.constantFrom('file' as const, 'registry' as const)),
      async ([given, otherwise]) => {
        const locator = await unlessRefused(() => parseLocator(given, otherwise))
        if (locator?.kind === 'file' && locator.format !== undefined) {
          const image = locator.image === undefined ? '' : `:${locator.image}`
          expect(`${locator.format}:${locator.path}${image}`).toBe(given)
        }
      },
      400,
    )
  })
})

const layer = Buffer.alloc(1024)
const config = Buffer.from(
  JSON.stringify({
    os: 'linux',
    architecture: 'amd64',
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  }),
)
const describeBytes = (mediaType: string, bytes: Buffer) => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
})
const image = {
  schemaVersion: 2,
  mediaType: MediaType.ociManifest,
  config: describeBytes(MediaType.ociConfig, config),
  layers: [describeBytes(MediaType.ociLayer, layer)],
}
const manifest = Buffer.from(JSON.stringify(image))
const INDEX = {
  schemaVersion: 2,
  mediaType: MediaType.ociIndex,
  manifests: [
    {
      ...describeBytes(MediaType.ociManifest, manifest),
      annotations: {
        'org.opencontainers.image.ref.name': '1.0',
        'io.containerd.image.name': 'docker.io/acme/app:1.0',
      },
    },
    {
      ...describeBytes(MediaType.ociManifest, manifest),
      platform: { os: 'linux', architecture: 'amd64' },
      x: [1],
    },
  ],
}

/** A layout in memory, whose files are these where they are given. */
function layoutOf(files: Record<string, string | Buffer>): MemoryFiles {
  const blobs = [config, layer, manifest].map(bytes => [`blobs/${digestOf(bytes).replace(':', '/')}`, bytes])
  return new MemoryFiles({
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify(INDEX),
    ...Object.fromEntries(blobs),
    ...files,
  })
}

describe('layouts (R190, R228)', () => {
  const index = fc.oneof(
    spoiledJson(INDEX),
    spoiledBytes(Buffer.from(JSON.stringify(INDEX))).map(bytes => `${bytes}`),
    fc.json({ maxDepth: 3 }),
  )

  it('have an index.json that is refused, or written again as it was', async () => {
    await holds(
      index,
      async text => {
        const found = await unlessRefused(() => parseIndexJson(Buffer.from(text), 'index.json'))
        if (found === undefined) return
        const written = formatIndexJson(found)
        expect(formatIndexJson(parseIndexJson(written, 'it')).equals(written)).toBe(true)
        const descriptor = describeBytes(MediaType.ociManifest, layer)
        const changed = inFixedOrder(
          withNameless(withTag(found, '__proto__', descriptor, 'docker.io/a/b'), [descriptor]),
        )
        expect(entryNamed(changed.entries, 'docker.io/a/b:__proto__', 'it')?.descriptor.digest).toBe(
          descriptor.digest,
        )
        await unlessRefused(() => entryNamed(changed.entries, '1.0', 'it'))
      },
      400,
    )
  })

  it('are refused or listed, and their images refused or read, whatever is in a file of theirs', async () => {
    const blob = `blobs/${digestOf(manifest).replace(':', '/')}`
    const files = fc.oneof(
      index.map(text => ({ 'index.json': text })),
      spoiledJson(image).map(text => ({ [blob]: text })),
      spoiledJson({ imageLayoutVersion: '1.0.0' }).map(text => ({ 'oci-layout': text })),
    )
    await holds(files, async given => {
      const context = createContext()
      const file = await unlessRefused(() => openLayout(layoutOf(given as Record<string, string>), context))
      if (file === undefined) return
      await unlessRefused(() => selectImage(file))
      for (const { source, root } of file.images) {
        await unlessRefused(() => source.getManifest(root, context))
        await unlessRefused(() => source.listReferrers(digestOf(manifest), context))
      }
    })
    await holds(textOf('Directory Transport Version: 1.1\n', '1', '\0'), text =>
      unlessRefused(() => checkVersion(Buffer.from(text), 'x')),
    )
    await holds(textOf('{', '"imageLayoutVersion"', ':', '"1.0.0"', '}'), text =>
      unlessRefused(() => checkLayoutFile(Buffer.from(text), 'x')),
    )
  })
})

describe('docker-archives (R183, R189, R228)', () => {
  const list = [
    {
      Config: 'a.json',
      RepoTags: ['acme/app:1.0', 'r.example:5000/a:2'],
      Layers: ['l/layer.tar'],
      Parent: 'x',
    },
  ]
  const files = fc.oneof(
    spoiledJson(list).map(text => ({ 'manifest.json': text })),
    fc.json({ maxDepth: 3 }).map(text => ({ 'manifest.json': text })),
    spoiledBytes(Buffer.from(JSON.stringify(list))).map(bytes => ({ 'manifest.json': bytes })),
    spoiledJson(JSON.parse(`${config}`)).map(text => ({ 'a.json': text })),
  )

  it('are refused or listed, and their images refused or read, whatever is in a file of theirs', async () => {
    await holds(
      files,
      async given => {
        const archive = new MemoryFiles({
          'manifest.json': JSON.stringify(list),
          'a.json': config,
          'l/layer.tar': layer,
          ...given,
        })
        const file = await unlessRefused(() => openDockerArchive(archive))
        if (file === undefined) return
        await unlessRefused(() => selectImage(file, 'acme/app'))
        for (const { source, root, names } of file.images) {
          expect(names.every(name => typeof name === 'string')).toBe(true)
          const raw = await unlessRefused(() => source.getManifest(root, createContext()))
          if (raw !== undefined) expect(digestOf(raw.bytes)).toBe(raw.descriptor.digest)
          await source[Symbol.asyncDispose]()
        }
      },
      150,
    )
  })
})
