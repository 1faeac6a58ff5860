import { spawnSync } from 'node:child_process'
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  blobOf,
  collect,
  descriptorOf,
  indexOf,
  manifestOf,
  noise,
  putImageBlobs,
  readBlob,
} from '../../test/contract/store-fixtures.js'
import { createContext } from '../content/context.js'
import { MediaType } from '../content/media-types.js'
import { blobPath } from './layout-format.js'
import { LayoutStore } from './layout-store.js'

const context = createContext()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-layout-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const open = (options: object = {}) => LayoutStore.open(folder, { create: true, ...options })

async function indexJson(): Promise<{
  manifests: { digest: string; annotations?: Record<string, string> }[]
  [key: string]: unknown
}> {
  return JSON.parse(await readFile(join(folder, 'index.json'), 'utf8'))
}

/** The entries of index.json as `name digest`, `-` for no name. */
async function entries(): Promise<string[]> {
  const { manifests } = await indexJson()
  return manifests.map(
    ({ digest, annotations }) => `${annotations?.['org.opencontainers.image.ref.name'] ?? '-'} ${digest}`,
  )
}

describe('index.json', () => {
  it('has a tag as soon as it was put, and is found by the next store', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'image')
    await store.putManifest(image, ['1.0', 'latest'], context)
    const { digest } = image.descriptor
    expect(await entries()).toEqual([`1.0 ${digest}`, `latest ${digest}`])
    const next = await LayoutStore.open(folder)
    expect((await next.getManifest('1.0', context)).bytes).toEqual(image.bytes)
    expect(JSON.parse(await readFile(join(folder, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    })
  })

  it('keeps the tags of repositories apart, and takes over a tag that belonged to none (R186)', async () => {
    const [app, other] = [await open({ repository: 'host/app' }), await open({ repository: 'host/other' })]
    const [old, image] = [await putImageBlobs(app, 'old'), await putImageBlobs(app, 'new')]
    await (await open()).putManifest(old, ['1', '2'], context)
    await app.putManifest(image, ['1'], context)
    expect(await other.statManifest('1', context)).toBeUndefined()
    await other.putManifest(old, ['1'], context)
    await app.putManifest(image, ['1'], context)
    const { manifests } = await indexJson()
    expect(manifests.map(({ digest, annotations }) => [digest, Object.values(annotations ?? {})])).toEqual([
      [image.descriptor.digest, ['host/app:1', '1']],
      [old.descriptor.digest, ['2']],
      [old.descriptor.digest, ['host/other:1', '1']],
    ])
    expect((await app.statManifest('1', context))?.digest).toBe(image.descriptor.digest)
    expect((await other.statManifest('1', context))?.digest).toBe(old.descriptor.digest)
    await expect((await open()).statManifest('1', context)).rejects.toMatchObject({ code: 'ambiguous' })
  })

  it('lists the children of an index only when nothing leads to them', async () => {
    const store = await open()
    const [a, b] = [await putImageBlobs(store, 'a'), await putImageBlobs(store, 'b')]
    const index = indexOf([a, b])
    for (const image of [a, b]) await store.putManifest(image, [], context)
    await store.putManifest(index, ['multi'], context)
    await store.commit(context)
    expect(await entries()).toEqual([`multi ${index.descriptor.digest}`])
    expect(await store.deleteManifest(index.descriptor.digest, context)).toBe(true)
    expect((await entries()).sort()).toEqual([a, b].map(image => `- ${image.descriptor.digest}`).sort())
  })

  it('gives a manifest without a tag an entry at commit, so that it is found again', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'untagged')
    await store.putManifest(image, [], context)
    expect(await readdir(folder)).not.toContain('index.json')
    await store.commit(context)
    expect(await entries()).toEqual([`- ${image.descriptor.digest}`])
    const next = await LayoutStore.open(folder)
    expect(await next.hasManifest(image.descriptor.digest, context)).toBe(true)
  })

  it('keeps a manifest whose tag moved away, unless told otherwise', async () => {
    for (const keepUntagged of [true, false]) {
      await rm(folder, { recursive: true })
      const store = await open({ keepUntagged })
      const [first, second] = [await putImageBlobs(store, 'first'), await putImageBlobs(store, 'second')]
      for (const image of [first, second]) await store.putManifest(image, ['latest'], context)
      const kept = keepUntagged ? [`- ${first.descriptor.digest}`] : []
      expect(await entries()).toEqual([`latest ${second.descriptor.digest}`, ...kept])
    }
  })

  it('keeps fields and entries that it does not know (R190)', async () => {
    const foreign = {
      mediaType: 'application/vnd.example.thing',
      digest: descriptorOf(Buffer.from('x')).digest,
      size: 1,
      extra: { deep: [1] },
    }
    await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    await writeFile(
      join(folder, 'index.json'),
      JSON.stringify({ schemaVersion: 2, note: 'mine', manifests: [foreign] }),
    )
    const store = await open()
    await store.putManifest(await putImageBlobs(store, 'image'), ['new'], context)
    const index = await indexJson()
    expect(index.note).toBe('mine')
    expect(index.manifests[0]).toEqual(foreign)
    expect(index.manifests).toHaveLength(2)
  })

  it('is never lost by two stores that write at the same time (R191)', async () => {
    const stores = [await open(), await open()]
    await Promise.all(
      stores.flatMap((store, number) =>
        Array.from({ length: 10 }, async (_, position) => {
          const image = await putImageBlobs(store, `${number} ${position}`)
          await store.putManifest(image, [`s${number}-${position}`], context)
        }),
      ),
    )
    expect(await collect((await LayoutStore.open(folder)).listTags(context))).toHaveLength(20)
  })

  it('is read again after another store changed it', async () => {
    const [writer, reader] = [await open(), await open()]
    const image = await putImageBlobs(writer, 'image')
    await writer.putManifest(image, ['a'], context)
    expect(await reader.statManifest('a', context)).toEqual(image.descriptor)
    await writer.deleteTag('a', context)
    expect(await reader.statManifest('a', context)).toBeUndefined()
  })

  it('is written under a lock, which is taken over from a process that died', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    const lock = join(folder, '.index.json.lock')
    const store = await open()
    await store.initialize()
    await writeFile(lock, JSON.stringify({ token: 'old', pid, host: hostname() }))
    await store.putManifest(await putImageBlobs(store, 'image'), ['a'], context)
    expect(await entries()).toHaveLength(1)
    expect(await readdir(folder)).not.toContain('.index.json.lock')
  })
})

describe('blobs', () => {
  it('appear under their digest alone and leave nothing else behind', async () => {
    const store = await open()
    const bytes = noise(100_000, 'layer')
    await store.putBlob(blobOf(bytes), context)
    const { digest } = descriptorOf(bytes)
    expect(await readFile(join(folder, blobPath(digest)))).toEqual(bytes)
    await expect(
      store.putBlob(blobOf(noise(10, 'x'), descriptorOf(noise(10, 'y'))), context),
    ).rejects.toThrow()
    expect((await readdir(folder)).sort()).toEqual(['blobs', 'oci-layout'])
    expect(await readdir(join(folder, 'blobs/sha256'))).toHaveLength(1)
  })

  it('become a second name of the same file when they come from another layout', async () => {
    const other = await LayoutStore.open(join(folder, 'other'), { create: true })
    const store = await LayoutStore.open(join(folder, 'store'), { create: true })
    const blob = blobOf(noise(1000, 'shared'))
    await other.putBlob(blob, context)
    expect(await store.putBlob({ ...blob, origin: other }, context)).toBe('mounted')
    const path = blobPath(blob.descriptor.digest)
    const inodes = [
      (await stat(join(folder, 'other', path))).ino,
      (await stat(join(folder, 'store', path))).ino,
    ]
    expect(inodes[0]).toBe(inodes[1])
    expect(await other.deleteBlob(blob.descriptor.digest, context)).toBe(true)
    expect(await readBlob(store, blob.descriptor)).toHaveLength(1000)
  })

  it('are copied and checked when nobody vouches for the other layout', async () => {
    const blob = blobOf(noise(1000, 'unchecked'))
    const before = await LayoutStore.open(join(folder, 'other'), { create: true })
    await before.putBlob(blob, context)
    const other = await LayoutStore.open(join(folder, 'other'), { create: true })
    const store = await LayoutStore.open(join(folder, 'store'), { create: true })
    expect(await store.putBlob({ ...blob, origin: other }, context)).toBe('copied')
  })

  it('are written again when what is there has another size', async () => {
    const store = await open()
    const blob = blobOf(noise(1000, 'cut'))
    await store.putBlob(blob, context)
    await writeFile(join(folder, blobPath(blob.descriptor.digest)), 'cut')
    await expect(store.openBlob(blob.descriptor, context)).rejects.toThrow('should have 1000 bytes but has 3')
    expect(await store.putBlob(blob, context)).toBe('copied')
    expect(await readBlob(store, blob.descriptor)).toHaveLength(1000)
  })

  it('never go through a link out of the layout (R224)', async () => {
    const outside = join(folder, 'outside')
    const inside = join(folder, 'inside')
    await mkdir(outside)
    await mkdir(join(inside, 'blobs'), { recursive: true })
    await writeFile(join(inside, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
    await symlink(outside, join(inside, 'blobs/sha256'))
    const store = await LayoutStore.open(inside, { create: true })
    await expect(store.putBlob(blobOf(noise(10, 'x')), context)).rejects.toMatchObject({
      code: 'unsafe-link',
    })
    expect(await readdir(outside)).toEqual([])
  })

  it('do not read a link in place of a blob or of index.json (R224)', async () => {
    const store = await open()
    const blob = blobOf(Buffer.from('secret'))
    await store.putBlob(blob, context)
    const path = join(folder, blobPath(blob.descriptor.digest))
    await rm(path)
    await writeFile(join(folder, 'secret'), 'secret')
    await symlink(join(folder, 'secret'), path)
    await expect(store.openBlob(blob.descriptor, context)).rejects.toMatchObject({ code: 'unsafe-link' })
    await symlink(join(folder, 'secret'), join(folder, 'index.json'))
    await expect(store.getManifest('latest', context)).rejects.toMatchObject({ code: 'unsafe-link' })
  })

  it('that a killed writer left are removed after a week', async () => {
    await (await open()).initialize()
    for (const name of ['.incomplete-old', '.incomplete-new']) await writeFile(join(folder, name), 'part')
    const longAgo = new Date(Date.now() - 8 * 24 * 60 * 60 * 1000)
    await utimes(join(folder, '.incomplete-old'), longAgo, longAgo)
    await open()
    expect((await readdir(folder)).sort()).toEqual(['.incomplete-new', 'oci-layout'])
  })
})

describe('manifests', () => {
  it('that a digest names are found through indexes, and not after they were deleted', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'child')
    const index = indexOf([image])
    for (const manifest of [image, index]) await store.putManifest(manifest, [], context)
    const { digest } = image.descriptor
    expect(await store.hasManifest(digest, context)).toBe(true)
    expect(await store.deleteManifest(digest, context)).toBe(true)
    expect(await store.hasManifest(digest, context)).toBe(false)
    await store.putManifest(image, [], context)
    expect(await store.hasManifest(digest, context)).toBe(true)
  })

  it('are not removed as blobs', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'image')
    await store.putManifest(image, ['a'], context)
    expect(await store.deleteBlob(image.descriptor.digest, context)).toBe(false)
    expect(await store.hasManifest(image.descriptor.digest, context)).toBe(true)
  })

  it('whose bytes changed on the disk are found out', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'image')
    await store.putManifest(image, ['a'], context)
    const changed = Buffer.from(image.bytes)
    changed[changed.length - 2] = 0x20
    await writeFile(join(folder, blobPath(image.descriptor.digest)), changed)
    await expect(store.getManifest('a', context)).rejects.toMatchObject({ code: 'digest-mismatch' })
  })

  it('are found when a list of referrers is asked for, until they are deleted', async () => {
    const store = await open()
    const image = await putImageBlobs(store, 'image')
    const fields = { subject: image.descriptor, schemaVersion: 2, config: image.descriptor, layers: [] }
    const signature = manifestOf(fields, MediaType.ociManifest)
    await store.putManifest(image, ['a'], context)
    await store.putManifest(signature, [], context)
    const { digest } = image.descriptor
    expect(await store.listReferrers(digest, context)).toHaveLength(1)
    await store.deleteManifest(signature.descriptor.digest, context)
    expect(await store.listReferrers(digest, context)).toEqual([])
  })
})
