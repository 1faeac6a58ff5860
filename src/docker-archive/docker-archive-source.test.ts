import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gunzipSync, gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { buildLayer, configBytes } from '../../test/support/image-builder.js'
import { MemoryFiles } from '../../test/support/memory-files.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { compressorVersion } from '../compression/compressor-version.js'
import { createContext } from '../content/context.js'
import { type Digest, digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MediaType } from '../content/media-types.js'
import { ARCHIVE_ROOT, type DockerArchiveOptions, DockerArchiveSource } from './docker-archive-source.js'
import { LayerCache } from './layer-cache.js'

const context = createContext()

/** An archive of these stored layers, whose config says these diffIDs. */
function sourceOf(
  stored: readonly Uint8Array[],
  diffIDs: readonly Digest[],
  options?: DockerArchiveOptions,
  names = stored.map((_, position) => `${position}.tar`),
) {
  const config = configBytes(diffIDs)
  const files = new Map<string, Uint8Array>([['config.json', config]])
  for (const [position, bytes] of stored.entries()) files.set(names[position] ?? '', bytes)
  const image = { config: 'config.json', repoTags: [], layers: names }
  return { source: new DockerArchiveSource(new MemoryFiles(files), image, options), config }
}

async function readAll(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function manifestOf(source: DockerArchiveSource) {
  const { bytes, descriptor } = await source.getManifest(ARCHIVE_ROOT, context)
  return {
    text: Buffer.from(bytes).toString(),
    descriptor,
    document: JSON.parse(Buffer.from(bytes).toString()),
  }
}

describe('DockerArchiveSource', () => {
  it("makes docker push's manifest, the same bytes each time", async () => {
    const layer = await buildLayer({ seed: 1, size: 100_000 })
    const made = []
    for (let run = 0; run < 2; run++) {
      const { source, config } = sourceOf([layer], [digestOf(layer)])
      await using _ = source
      const { text, descriptor, document } = await manifestOf(source)
      const [entry] = document.layers
      expect(text).toBe(`{
   "schemaVersion": 2,
   "mediaType": "${MediaType.dockerManifest}",
   "config": {
      "mediaType": "${MediaType.dockerConfig}",
      "size": ${config.length},
      "digest": "${digestOf(config)}"
   },
   "layers": [
      {
         "mediaType": "${MediaType.dockerLayerGzip}",
         "size": ${entry.size},
         "digest": "${entry.digest}"
      }
   ]
}`)
      expect(descriptor.digest).toBe(digestOf(Buffer.from(text)))
      const stored = await readAll(await source.openBlob(entry, context))
      expect(stored.length).toBe(entry.size)
      expect(digestOf(gunzipSync(stored))).toBe(digestOf(layer))
      made.push(descriptor.digest)
    }
    expect(made[0]).toBe(made[1])
  })

  it('makes an OCI manifest when that is asked for', async () => {
    const layer = await buildLayer({ a: 'a\n' })
    await using source = sourceOf([layer], [digestOf(layer)], { format: 'oci' }).source
    const { document } = await manifestOf(source)
    expect(document).toMatchObject({
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig },
      layers: [{ mediaType: MediaType.ociLayerGzip }],
    })
  })

  it('keeps layers that are compressed already (R185), and plain ones with keep', async () => {
    const layer = await buildLayer({ a: 'a\n' })
    const zipped = gzipSync(layer)
    const compression = { algorithm: 'keep' } as const
    await using source = sourceOf([zipped, layer], [digestOf(layer), digestOf(layer)], { compression }).source
    // One diffID has one layer: the first file stands for both.
    const { document } = await manifestOf(source)
    expect(document.layers.map((entry: { digest: string }) => entry.digest)).toEqual([
      digestOf(zipped),
      digestOf(zipped),
    ])
    await using plain = sourceOf([layer], [digestOf(layer)], { compression }).source
    expect((await manifestOf(plain)).document.layers).toMatchObject([
      { mediaType: MediaType.dockerLayer, digest: digestOf(layer), size: layer.length },
    ])
  })

  it('names a layer that repeats each time, and prepares it once', async () => {
    const [a, b] = [await buildLayer({ a: 'a\n' }), await buildLayer({ b: 'b\n' })]
    const ids = [a, b, a].map(layer => digestOf(layer))
    const events: CopyEvent[] = []
    await using source = sourceOf([a, b], ids, {}, ['0.tar', '1.tar', '0.tar']).source
    const early: string[] = []
    const watching = createContext({ emit: event => events.push(event) })
    for await (const { digest } of source.earlyBlobs(watching)) early.push(digest)
    const { document } = await manifestOf(source)
    const [first, second, third] = document.layers
    expect(first).toEqual(third)
    expect(early).toHaveLength(3)
    expect(new Set(early)).toEqual(new Set([document.config.digest, first.digest, second.digest]))
    expect(events.filter(({ type }) => type === 'layer-ready')).toHaveLength(2)
    expect(events[0]).toMatchObject({ type: 'layers', layers: ids.map(diffID => ({ diffID })) })
  })

  it('need not have a layer hashed again that was compressed into the spool as it came (R187)', async () => {
    const layer = await buildLayer({ a: 'a\n' })
    const zipped = gzipSync(layer)
    const gzip = {
      digest: digestOf(zipped),
      size: zipped.length,
      open: async () => Readable.from([zipped]),
      chunksFrom: () => Readable.from([zipped]),
    }
    class SpooledFiles extends MemoryFiles {
      override async stat(name: string) {
        const entry = await super.stat(name)
        return entry && name === '0.tar' ? { ...entry, spooled: { digest: digestOf(layer), gzip } } : entry
      }
    }
    const files = new SpooledFiles({ 'config.json': configBytes([digestOf(layer)]), '0.tar': layer })
    const image = { config: 'config.json', repoTags: [], layers: ['0.tar'] }
    await using source = new DockerArchiveSource(files, image)
    const { document } = await manifestOf(source)
    expect(document.layers[0].digest).toBe(gzip.digest)
    expect(source.hasVerified(gzip.digest)).toBe(true)
    expect(source.hasVerified(document.config.digest)).toBe(false)
  })

  it('prepares the largest layer first, and gives each as soon as it is ready', async () => {
    // Large enough that no thread which stands still for a moment changes who is last.
    const layers = await Promise.all(
      [4, 6, 5].map(size => buildLayer({ seed: size, size: size * 3_000_000 })),
    )
    const [small, large, middle] = layers.map(layer => digestOf(layer))
    const ready: Digest[] = []
    const watching = createContext({
      emit: event => event.type === 'layer-ready' && ready.push(event.diffID),
    })
    await using source = sourceOf(layers, [small, large, middle] as Digest[]).source
    const early: Digest[] = []
    for await (const { digest } of source.earlyBlobs(watching)) early.push(digest)
    expect(ready.at(-1)).toBe(small)
    const { document } = await manifestOf(source)
    const stored = document.layers.map(({ digest }: { digest: Digest }) => digest)
    expect(early.slice(1)).toEqual(ready.map(id => stored[[small, large, middle].indexOf(id)]))
  })

  it.each(['auto', 'keep'] as const)(
    'checks what a layer holds against its diffID, with %s',
    async algorithm => {
      const layer = await buildLayer({ a: 'a\n' })
      const other = digestOf(Buffer.from('other'))
      for (const stored of [layer, gzipSync(layer)]) {
        await using source = sourceOf([stored], [other], { compression: { algorithm } }).source
        await expect(source.getManifest(ARCHIVE_ROOT, context)).rejects.toMatchObject({
          kind: 'corrupt',
          code: 'digest-mismatch',
          message: expect.stringMatching(/^layer 0\.tar of memory, uncompressed, should have the digest /),
        })
      }
    },
  )

  it('refuses layers and diffIDs that are not as many, and a layer that is not there', async () => {
    const layer = await buildLayer({ a: 'a\n' })
    const id = digestOf(layer)
    const read = (source: DockerArchiveSource) => source.getManifest(ARCHIVE_ROOT, context)
    await using more = sourceOf([layer], [id, id]).source
    await expect(read(more)).rejects.toThrow('memory has 1 layers, but the config has 2 diffIDs')
    await using none = sourceOf([], [id]).source
    await expect(read(none)).rejects.toThrow('memory names no layers, but the config has 1 diffIDs')
    await using missing = sourceOf([], [id], {}, ['gone.tar']).source
    await expect(read(missing)).rejects.toMatchObject({
      code: 'missing-layer',
      message: 'layer gone.tar is not in memory',
    })
  })

  it('has no other manifest and no other blob', async () => {
    await using source = sourceOf([], []).source
    const digest = digestOf(Buffer.from('other'))
    await expect(source.getManifest(digest, context)).rejects.toMatchObject({ code: 'missing-manifest' })
    const descriptor = { mediaType: MediaType.dockerLayer, digest, size: 5 }
    await expect(source.openBlob(descriptor, context)).rejects.toMatchObject({ code: 'missing-blob' })
    expect(await source.listReferrers()).toEqual([])
  })

  describe('with a folder for caches', () => {
    /** Files that count how often each is opened. */
    class CountingFiles extends MemoryFiles {
      readonly opened: string[] = []

      override open(name: string, from?: number): Promise<Readable> {
        this.opened.push(name)
        return super.open(name, from)
      }
    }

    function archive(layer: Uint8Array, diffID: Digest, options: DockerArchiveOptions) {
      const files = new CountingFiles({ 'config.json': configBytes([diffID]), '0.tar': layer })
      const image = { config: 'config.json', repoTags: [], layers: ['0.tar'] }
      return { files, source: new DockerArchiveSource(files, image, options) }
    }

    it('knows a layer that it compressed before without reading it, and gives the same bytes', async () => {
      await using folder = await temporaryFolder()
      const layer = await buildLayer({ seed: 1, size: 100_000 })
      const options = { cacheFolder: folder.path }
      await using first = archive(layer, digestOf(layer), options).source
      const made = await manifestOf(first)
      const [entry] = made.document.layers
      const bytes = await readAll(await first.openBlob(entry, context))

      const { files, source } = archive(layer, digestOf(layer), options)
      await using again = source
      expect((await manifestOf(again)).text).toBe(made.text)
      expect(files.opened).toEqual([])
      for await (const blob of again.earlyBlobs(context)) expect(blob).toBeUndefined()
      // Only a registry that lacks the blob makes us compress it, once.
      expect(await readAll(await again.openBlob(entry, context))).toEqual(bytes)
      expect(await readAll(await again.openBlob(entry, context, 10))).toEqual(bytes.subarray(10))
      expect(files.opened).toEqual(['0.tar'])
    })

    it('compresses again for another level, and does not look without the folder', async () => {
      await using folder = await temporaryFolder()
      const layer = await buildLayer({ seed: 1, size: 10_000 })
      for (const options of [
        { cacheFolder: folder.path },
        { cacheFolder: folder.path, compression: { algorithm: 'gzip', level: 9 } as const },
        {},
      ]) {
        const { files, source } = archive(layer, digestOf(layer), options)
        await using _ = source
        await manifestOf(source)
        expect(files.opened).toEqual(['0.tar'])
      }
    })

    it('never sends bytes that are not those of the diffID', async () => {
      await using folder = await temporaryFolder()
      const options = { cacheFolder: folder.path }
      const [layer, other] = [await buildLayer({ a: 'a\n' }), await buildLayer({ b: 'b\n' })]
      await using first = archive(layer, digestOf(layer), options).source
      await manifestOf(first)
      await using changed = archive(other, digestOf(layer), options).source
      const [entry] = (await manifestOf(changed)).document.layers
      await expect(changed.openBlob(entry, context)).rejects.toMatchObject({ code: 'digest-mismatch' })
    })

    it('tells of an entry that is wrong, and has forgotten it in the next run', async () => {
      await using folder = await temporaryFolder()
      const options = { cacheFolder: folder.path }
      const layer = await buildLayer({ a: 'a\n' })
      const cache = new LayerCache(join(folder.path, 'layers'))
      const key = { diffID: digestOf(layer), compressor: compressorVersion('gzip', undefined) }
      const wrong = digestOf(Buffer.from('wrong'))
      await cache.put(key, { digest: wrong, size: 5 })
      await using source = archive(layer, digestOf(layer), options).source
      const [entry] = (await manifestOf(source)).document.layers
      expect(entry.digest).toBe(wrong)
      await expect(source.openBlob(entry, context)).rejects.toMatchObject({
        code: 'wrong-layer-cache',
        message: expect.stringMatching(`^layer 0\\.tar of memory was remembered as ${wrong}, and is sha256:`),
        hint: 'Run it again: what was remembered is removed',
      })
      await using next = archive(layer, digestOf(layer), options).source
      const [right] = (await manifestOf(next)).document.layers
      expect(digestOf(gunzipSync(await readAll(await next.openBlob(right, context))))).toBe(digestOf(layer))
    })
  })
})
