import { beforeEach, describe, expect, it } from 'vitest'
import { buildImage } from '../../test/support/image-builder.js'
import { createContext } from '../content/context.js'
import type { Digest } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { MemoryStore } from '../content/memory-store.js'
import type { BlobContent, Context, RawManifest } from '../content/store.js'
import { deleteTagByReplacing } from './delete-by-replacing.js'

/** A store whose deletions a test can spoil, and that tells which configs it was given. */
class SpoiltStore extends MemoryStore {
  readonly configs: Digest[] = []
  deletions = 0
  beforeDeletion: (count: number, digest: Digest) => Promise<void> = async () => {}

  override async putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'> {
    this.configs.push(blob.descriptor.digest)
    return await super.putBlob(blob, context)
  }

  override async deleteManifest(digest: Digest, context: Context): Promise<boolean> {
    this.deletions++
    await this.beforeDeletion(this.deletions, digest)
    return await super.deleteManifest(digest, context)
  }
}

describe('R87: deleting a tag by replacing it', () => {
  const events: CopyEvent[] = []
  const context = createContext({ emit: event => events.push(event) })
  let store: SpoiltStore
  let image: RawManifest
  let other: RawManifest

  beforeEach(async () => {
    events.length = 0
    store = new SpoiltStore('registry')
    image = (await buildImage()).manifest
    other = (await buildImage({ docker: true })).manifest
    await store.putManifest(image, ['1.0', '1.1'], context)
  })

  const tags = async () => {
    const found: string[] = []
    for await (const tag of store.listTags(context)) found.push(tag)
    return found
  }
  const standsFor = async (tag: string) => (await store.statManifest(tag, context))?.digest

  it('leaves the image with its other tags, and nothing of what was made for it', async () => {
    await deleteTagByReplacing(store, '1.0', image, context)
    expect(await tags()).toEqual(['1.1'])
    expect(await standsFor('1.1')).toBe(image.descriptor.digest)
    expect(store.configs).toHaveLength(1)
    for (const config of store.configs) expect(await store.statBlob(config, context)).toBeUndefined()
    expect(events).toEqual([])
  })

  it('takes the media types of the image', async () => {
    await store.putManifest(other, ['docker'], context)
    const put: string[] = []
    const putManifest = store.putManifest.bind(store)
    store.putManifest = async (manifest, names, within) => {
      put.push(manifest.descriptor.mediaType)
      await putManifest(manifest, names, within)
    }
    await deleteTagByReplacing(store, 'docker', other, context)
    expect(new Set(put)).toEqual(new Set([other.descriptor.mediaType]))
  })

  it('does not touch the tag where nothing can be deleted', async () => {
    store.beforeDeletion = async () => {
      throw new Error('not allowed')
    }
    await expect(deleteTagByReplacing(store, '1.0', image, context)).rejects.toThrow('not allowed')
    expect(store.deletions).toBe(1)
    expect(await standsFor('1.0')).toBe(image.descriptor.digest)
  })

  it('puts the tag back when the deletion fails halfway, and also when it was interrupted', async () => {
    const interruption = new AbortController()
    store.beforeDeletion = async count => {
      if (count < 2) return
      interruption.abort()
      throw new Error('broken off')
    }
    const within = createContext({ signal: interruption.signal })
    await expect(deleteTagByReplacing(store, '1.0', image, within)).rejects.toThrow('broken off')
    expect(await standsFor('1.0')).toBe(image.descriptor.digest)
  })

  it('leaves a tag that was moved meanwhile', async () => {
    store.beforeDeletion = async () => await store.putManifest(other, ['1.0'], context)
    await expect(deleteTagByReplacing(store, '1.0', image, context)).rejects.toMatchObject({
      code: 'tag-moved',
      message: expect.stringContaining(':1.0 was moved by somebody else: it is left as it is'),
    })
    expect(await standsFor('1.0')).toBe(other.descriptor.digest)
  })

  it('puts the image again where it went with its last tag', async () => {
    await store.deleteTag('1.1', context)
    store.beforeDeletion = async count => {
      if (count === 2)
        await MemoryStore.prototype.deleteManifest.call(store, image.descriptor.digest, context)
    }
    await deleteTagByReplacing(store, '1.0', image, context)
    expect(await store.hasManifest(image.descriptor.digest)).toBe(true)
    expect(events).toMatchObject([{ type: 'warning', message: expect.stringContaining('it was put again') }])
  })
})
