import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { buildImage } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { ImageEntry, ImageFile } from '../content/image-file.js'
import { MemoryStore } from '../content/memory-store.js'
import { planPush, planPushAll, pushedDigest } from './push.js'

const DIGEST = digestOf(Buffer.from('one'))
const OTHER = digestOf(Buffer.from('other'))
const source = new MemoryStore('file')

function entry(...names: string[]): ImageEntry {
  return { names, digest: DIGEST, configDigest: undefined, root: DIGEST, source }
}

function fileOf(...images: ImageEntry[]): ImageFile {
  return { format: 'oci-layout', label: 'file.tar', images, [Symbol.asyncDispose]: async () => {} }
}

describe('planPush', () => {
  const file = fileOf(entry('acme/app:1'))

  it('makes names of one repository tags of one target, in the order of the names', () => {
    const references = ['h:1/a:1', 'h:1/b', 'h:1/a:2', 'h:1/a:1', 'ubuntu']
    expect(planPush(file, references, {}).push.targets).toEqual([
      { repository: 'h:1/a', registry: 'h:1', name: 'a', tags: ['1', '2'] },
      { repository: 'h:1/b', registry: 'h:1', name: 'b', tags: ['latest'] },
      expect.objectContaining({ registry: 'docker.io', name: 'library/ubuntu', tags: ['latest'] }),
    ])
  })

  it('makes no tag of a digest alone, and gives the digest that is demanded', () => {
    const { push, digest } = planPush(file, [`h:1/a@${DIGEST}`, `h:1/b:1@${DIGEST}`], {})
    expect(digest).toBe(DIGEST)
    expect(push.targets.map(({ tags }) => tags)).toEqual([[], ['1']])
    expect(planPush(file, ['h:1/a'], {}).digest).toBeUndefined()
  })

  it('refuses references that demand different digests', () => {
    expect(() => planPush(file, [`h:1/a@${DIGEST}`, `h:1/a@${OTHER}`], {})).toThrow(
      expect.objectContaining({
        kind: 'usage',
        code: 'digest-conflict',
        message: 'the references name different digests',
      }),
    )
  })

  it('takes the image that is chosen', () => {
    const two = fileOf(entry('a:1'), entry('b:1'))
    expect(planPush(two, ['h:1/x'], { image: 'b:1' }).push.image).toBe(two.images[1])
    expect(() => planPush(two, ['h:1/x'], {})).toThrow('file.tar holds 2 images')
  })
})

describe('planPushAll', () => {
  const references = (prefix: string, ...names: string[]) =>
    planPushAll(fileOf(entry(...names)), prefix).flatMap(({ targets }) =>
      targets.flatMap(({ repository, tags }) => tags.map(tag => `${repository}:${tag}`)),
    )

  it.each([
    ['h:1', 'acme/app:1', 'h:1/acme/app:1'],
    ['h:1/', 'acme/app:1', 'h:1/acme/app:1'],
    ['h:1/mirror', 'registry.example.com:5000/team/app:2', 'h:1/mirror/team/app:2'],
    ['h:1/mirror', 'docker.io/library/ubuntu:22.04', 'h:1/mirror/ubuntu:22.04'],
    ['h:1', 'acme/app', 'h:1/acme/app:latest'],
    // A layout's images may have just a tag.
    ['h:1/app', '1.0', 'h:1/app:1.0'],
  ])('puts below %s the image %s as %s', (prefix, name, expected) => {
    expect(references(prefix, name)).toEqual([expected])
  })

  it('pushes an image under all of its names', () => {
    expect(references('h:1', 'a/b:1', 'a/b:2', 'c/d:1')).toEqual(['h:1/a/b:1', 'h:1/a/b:2', 'h:1/c/d:1'])
  })

  it('refuses an image without a name, and says how to push it', () => {
    expect(() => planPushAll(fileOf(entry('a/b:1'), entry()), 'h:1')).toThrow(
      expect.objectContaining({
        kind: 'usage',
        code: 'no-name',
        message: 'image #2 of file.tar has no name to push it under',
        hint: expect.stringContaining("--image '#2'"),
      }),
    )
  })
})

describe('pushedDigest', () => {
  it('is that of the manifest, and another one where it is converted', async () => {
    const context = createContext()
    const store = new MemoryStore('layout')
    const { manifest, blobs, config, layers } = await buildImage()
    for (const descriptor of [config, ...layers]) {
      const open = async () => Readable.from([blobs.get(descriptor.digest)])
      await store.putBlob({ descriptor, origin: store, open }, context)
    }
    await store.putManifest(manifest, [], context)
    const { digest } = manifest.descriptor
    const image = { ...entry(), digest, root: digest, source: store }
    expect(await pushedDigest(image, {}, context)).toEqual(manifest.descriptor)
    const kept = { conversion: { compression: { algorithm: 'keep' } } } as const
    expect(await pushedDigest(image, kept, context)).toEqual(manifest.descriptor)
    const converted = await pushedDigest(image, { conversion: { format: 'docker' } }, context)
    expect(converted.digest).not.toBe(digest)
    const platform = { os: 'linux', architecture: 's390x' }
    await expect(pushedDigest(image, { platform }, context)).rejects.toMatchObject({
      code: 'no-such-platform',
    })
  })
})
