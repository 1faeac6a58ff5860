import { describe, expect, it } from 'vitest'
import { buildLayer, configBytes } from '../../test/support/image-builder.js'
import { brokenImages, imagePath, missingImages } from '../../test/support/images.js'
import { MemoryFiles } from '../../test/support/memory-files.js'
import { openArchive } from '../archive/open-archive.js'
import { createContext } from '../content/context.js'
import { digestOf, hexOf } from '../content/digest.js'
import { RegctlError } from '../errors.js'
import { hasCompressedLayers, openDockerArchive } from './docker-archive.js'

/** Classes of errors that are the docker-archive's own to find; the others are those of tar and compression. */
const OWN_CLASSES = [
  'bad-digest',
  'bad-json',
  'bad-shape',
  'digest-mismatch',
  'layer-count',
  'missing-config',
  'missing-layer',
  'too-large',
  'unsafe-path',
]
const broken = brokenImages().filter(
  ({ name, expected }) =>
    OWN_CLASSES.includes(expected.error ?? '') && !/\/(?:oci-|dir-)/.test(name) && name.endsWith('.tar'),
)

const config = (layers: readonly Buffer[]) => configBytes(layers.map(layer => digestOf(layer)))

describe('openDockerArchive', () => {
  it('reads a config once, however many images have it, and no more images than a limit', async () => {
    const listOf = (count: number) =>
      JSON.stringify(Array.from({ length: count }, () => ({ Config: 'c.json', Layers: [] })))
    const files = new MemoryFiles({ 'manifest.json': listOf(1000), 'c.json': config([]) })
    let reads = 0
    const read = files.read.bind(files)
    files.read = (name, from, length) => {
      if (name === 'c.json') reads++
      return read(name, from, length)
    }
    await using archive = await openDockerArchive(files)
    expect(new Set(archive.images.map(image => image.configDigest))).toEqual(new Set([digestOf(config([]))]))
    expect(reads).toBe(1)
    await expect(
      openDockerArchive(new MemoryFiles({ 'manifest.json': listOf(10_001) })),
    ).rejects.toMatchObject({
      code: 'too-large',
      message: 'manifest.json of memory names 10001 images, more than the 10000 that are read',
    })
  })

  it('lists images with their names and image IDs', async () => {
    const layer = await buildLayer({ a: 'a\n' })
    const bytes = config([layer])
    const files = new MemoryFiles({
      'manifest.json': JSON.stringify([
        { Config: 'c.json', RepoTags: ['acme/app:1', 'acme/app:2'], Layers: ['l.tar'] },
        { Config: 'c.json', RepoTags: null, Layers: ['l.tar'] },
        { Config: 'gone.json', Layers: ['l.tar'] },
      ]),
      'c.json': bytes,
      'l.tar': layer,
    })
    const file = await openDockerArchive(files)
    expect(file).toMatchObject({ format: 'docker-archive', label: 'memory' })
    expect(file.images).toMatchObject([
      { names: ['acme/app:1', 'acme/app:2'], digest: undefined, configDigest: digestOf(bytes) },
      { names: [], configDigest: digestOf(bytes) },
      // One that is broken is listed, and told about when it is read.
      { names: [], configDigest: undefined },
    ])
    await file[Symbol.asyncDispose]()
    expect(files.disposed).toBe(true)
  })

  it('takes keys in lower case', async () => {
    const files = new MemoryFiles({
      'manifest.json': '[{"config":"c.json","repotags":["a:1"],"layers":[]}]',
      'c.json': config([]),
    })
    await using file = await openDockerArchive(files)
    expect(file.images[0]).toMatchObject({ names: ['a:1'], configDigest: digestOf(config([])) })
  })

  it
    .skipIf(missingImages() !== undefined)
    .each(broken.map(({ name, expected }) => [name, expected.error ?? '']))(
    'refuses %s: %s',
    async (name, code) => {
      const context = createContext()
      const read = async () => {
        await using file = await openDockerArchive(
          await openArchive(imagePath(name), { signal: context.signal }),
        )
        for (const image of file.images) await image.source.getManifest(image.root, context)
      }
      const error = await read().catch(error => error)
      expect(error).toBeInstanceOf(RegctlError)
      expect(error).toMatchObject({ code, kind: 'corrupt' })
      expect(error.message).not.toContain('\n')
    },
  )

  it('knows compressed layers from plain ones', async () => {
    const manifest = '[{"Config":"c.json","Layers":["l.tar"]}]'
    const layer = await buildLayer({ a: 'a\n' })
    const gzip = new Uint8Array([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3])
    const has = (files: Record<string, string | Uint8Array>) => hasCompressedLayers(new MemoryFiles(files))
    expect(await has({ 'manifest.json': manifest, 'l.tar': layer })).toBe(false)
    expect(await has({ 'manifest.json': manifest, 'l.tar': gzip })).toBe(true)
    expect(await has({ 'manifest.json': manifest })).toBe(false)
    expect(await has({ 'manifest.json': '[]' })).toBe(false)
  })
})

describe('the config', () => {
  it('must have the digest that its name says, unless it is trusted', async () => {
    const bytes = config([])
    const wrong = hexOf(digestOf(Buffer.from('other')))
    const files = () =>
      new MemoryFiles({
        'manifest.json': JSON.stringify([{ Config: `${wrong}.json`, Layers: [] }]),
        [`${wrong}.json`]: bytes,
      })
    const context = createContext()
    await using refused = await openDockerArchive(files())
    await expect(refused.images[0]?.source.getManifest('image', context)).rejects.toMatchObject({
      code: 'digest-mismatch',
      message: expect.stringContaining(`config ${wrong}.json of memory should have the digest`),
      hint: expect.stringContaining('--trust-config'),
    })
    await using trusted = await openDockerArchive(files(), { trustConfig: true })
    const { bytes: manifest } = (await trusted.images[0]?.source.getManifest('image', context)) ?? {
      bytes: [],
    }
    expect(JSON.parse(Buffer.from(manifest).toString()).config.digest).toBe(digestOf(bytes))
  })
})
