import { describe, expect, it } from 'vitest'
import { MemoryFiles } from '../../test/support/memory-files.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import { digestOf } from '../content/digest.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import { printable } from '../content/printable.js'
import type { RawManifest, Source } from '../content/store.js'
import { readLimited, verifyStream } from '../content/verify.js'
import { blobPath } from './layout-format.js'
import { LayoutSource, openLayout } from './layout-source.js'
import { listImages } from './list-images.js'

const context = createContext()

async function readBlob(source: Source, descriptor: Descriptor): Promise<Buffer> {
  const stream = verifyStream(await source.openBlob(descriptor, context), descriptor, 'blob')
  return await readLimited(stream, 10_000_000, 'blob')
}

/** A layout in memory that holds the given manifests and blobs. */
function layoutOf(index: object, contents: readonly (RawManifest | Uint8Array)[]): MemoryFiles {
  const files = new Map<string, Uint8Array>([
    ['oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}')],
    ['index.json', Buffer.from(JSON.stringify(index))],
  ])
  for (const content of contents) {
    const bytes = content instanceof Uint8Array ? content : content.bytes
    files.set(blobPath(digestOf(bytes)), bytes)
  }
  return new MemoryFiles(files, 'out')
}

function manifestOf(document: object, mediaType: string = MediaType.ociManifest): RawManifest {
  return rawManifest(mediaType, Buffer.from(JSON.stringify(document)))
}

const config = Buffer.from('{"rootfs":{}}')
const configDescriptor = { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length }
const image = manifestOf({ schemaVersion: 2, config: configDescriptor, layers: [] })

function entry(manifest: RawManifest, refName?: string, fields: object = {}): object {
  const annotations = refName === undefined ? undefined : { 'org.opencontainers.image.ref.name': refName }
  return { ...manifest.descriptor, annotations, ...fields }
}

describe('LayoutSource', () => {
  it('finds an image by name, by the tag of a full name and by digest', async () => {
    const files = layoutOf({ manifests: [entry(image, 'example.org/app:1.0')] }, [image, config])
    const source = await LayoutSource.open(files)
    for (const name of ['example.org/app:1.0', '1.0', image.descriptor.digest]) {
      expect((await source.getManifest(name, context)).descriptor).toEqual(image.descriptor)
    }
  })

  it('says which image is not there', async () => {
    const source = await LayoutSource.open(layoutOf({ manifests: [] }, []))
    const absent = digestOf(Buffer.from('x'))
    await expect(source.getManifest('2.0', context)).rejects.toThrow('there is no image 2.0 in out')
    await expect(source.getManifest(absent, context)).rejects.toMatchObject({ kind: 'not-found' })
  })

  it('asks for a digest when two images have one name (R190)', async () => {
    const other = manifestOf({ schemaVersion: 2, config: configDescriptor, layers: null })
    const files = layoutOf({ manifests: [entry(image, 'latest'), entry(other, 'latest')] }, [image, other])
    const source = await LayoutSource.open(files)
    await expect(source.getManifest('latest', context)).rejects.toMatchObject({
      message: 'out holds 2 images with the name latest',
      code: 'ambiguous',
      hint: expect.stringContaining(other.descriptor.digest),
    })
    expect((await listImages(source, context)).map(found => found.names)).toEqual([['latest'], ['latest']])
  })

  it('prefers the full name to the tag (R186) and joins the names of one digest', async () => {
    const full = {
      'io.containerd.image.name': 'docker.io/acme/app:1',
      'org.opencontainers.image.ref.name': '1',
    }
    const files = layoutOf(
      { manifests: [entry(image, undefined, { annotations: full }), entry(image, 'other'), entry(image)] },
      [image, config],
    )
    await using file = await openLayout(files, context)
    expect(file.images).toHaveLength(1)
    expect(file.images[0]).toMatchObject({
      names: ['docker.io/acme/app:1', 'other'],
      digest: image.descriptor.digest,
      configDigest: configDescriptor.digest,
    })
  })

  it('derives the type of an entry that has none, and finds a type that lies', async () => {
    const untyped = { digest: image.descriptor.digest, size: image.descriptor.size }
    const derived = await LayoutSource.open(layoutOf({ manifests: [untyped] }, [image]))
    const found = await derived.getManifest(untyped.digest, context)
    expect(found.descriptor.mediaType).toBe(MediaType.ociManifest)

    const lying = { ...untyped, mediaType: MediaType.ociIndex }
    const source = await LayoutSource.open(layoutOf({ manifests: [lying] }, [image]))
    await expect(source.getManifest(untyped.digest, context)).rejects.toMatchObject({
      code: 'media-type-mismatch',
    })
  })

  it('reads the rest of a layout that has an entry of an unknown type (R190)', async () => {
    const unknown = manifestOf({ a: 1 }, 'application/vnd.example.thing+json')
    const files = layoutOf({ manifests: [entry(unknown, 'thing'), entry(image, 'app')] }, [image, unknown])
    const source = await LayoutSource.open(files)
    expect((await source.getManifest('app', context)).descriptor).toEqual(image.descriptor)
    await expect(source.getManifest('thing', context)).rejects.toThrow(
      'has the media type "application/vnd.example.thing+json", which is not known',
    )
  })

  it('R231: shows a type that is none without its control characters', async () => {
    const hostile = manifestOf({ a: 1 }, 'a\u001b[2J\r\n')
    const source = await LayoutSource.open(layoutOf({ manifests: [entry(hostile, 'thing')] }, [hostile]))
    const error = await source.getManifest('thing', context).catch(error => error)
    expect(error.message).toContain('has the media type "a')
    expect(error.message).toBe(printable(error.message))
  })

  it('names a missing blob by its digest and type', async () => {
    const source = await LayoutSource.open(layoutOf({ manifests: [entry(image)] }, [image]))
    await expect(source.openBlob(configDescriptor, context)).rejects.toThrow(
      `blob ${configDescriptor.digest} in out (${MediaType.ociConfig}) is missing`,
    )
  })

  it('refuses a blob of the wrong size before any byte of it (R207)', async () => {
    const source = await LayoutSource.open(layoutOf({ manifests: [] }, [config]))
    await expect(source.openBlob({ ...configDescriptor, size: 5 }, context)).rejects.toThrow(
      'should have 5 bytes but has 13',
    )
  })

  it('takes the data of a descriptor for a missing blob, if it is right (R171)', async () => {
    const source = await LayoutSource.open(layoutOf({ manifests: [] }, []))
    const inline = { ...configDescriptor, data: config.toString('base64') }
    expect(await readBlob(source, inline)).toEqual(config)
    await expect(source.openBlob({ ...inline, data: 'AAAA' }, context)).rejects.toMatchObject({
      code: 'missing-blob',
    })
  })

  it('lists referrers below indexes as well, and passes over what is missing', async () => {
    const missing = manifestOf({ gone: true })
    const signature = manifestOf({
      schemaVersion: 2,
      artifactType: 'application/vnd.example.signature',
      config: configDescriptor,
      layers: [],
      subject: image.descriptor,
      annotations: { by: 'alpha' },
    })
    const index = manifestOf(
      { schemaVersion: 2, manifests: [signature.descriptor, missing.descriptor] },
      MediaType.ociIndex,
    )
    const files = layoutOf({ manifests: [entry(image), entry(index)] }, [image, index, signature])
    const source = await LayoutSource.open(files)
    expect(await source.listReferrers(image.descriptor.digest, context)).toEqual([
      {
        ...signature.descriptor,
        artifactType: 'application/vnd.example.signature',
        annotations: { by: 'alpha' },
      },
    ])
    expect(await source.listReferrers(index.descriptor.digest, context)).toEqual([])
  })

  it('stops at indexes that name more manifests than anyone needs (R232)', async () => {
    const children = Array.from({ length: 10_001 }, (_, size) => ({
      mediaType: MediaType.ociManifest,
      digest: digestOf(Buffer.from(`${size}`)),
      size,
    }))
    const index = manifestOf({ schemaVersion: 2, manifests: children }, MediaType.ociIndex)
    const source = await LayoutSource.open(layoutOf({ manifests: [entry(index)] }, [index]))
    await expect(source.listReferrers(index.descriptor.digest, context)).rejects.toMatchObject({
      code: 'too-large',
    })
  })

  it('refuses an index.json beyond its cap before reading it (R228)', async () => {
    const files = layoutOf({ manifests: [] }, [])
    files.files.set('index.json', Buffer.alloc(4 * 1024 * 1024 + 1, 0x20))
    await expect(LayoutSource.open(files)).rejects.toMatchObject({ code: 'too-large' })
  })

  it('releases the files when the layout cannot be opened', async () => {
    const files = new MemoryFiles({ 'index.json': '{}' })
    await expect(openLayout(files, context)).rejects.toThrow(
      'memory is no OCI layout: it has no oci-layout file',
    )
    expect(files.disposed).toBe(true)
  })
})
