import { describe, expect, it } from 'vitest'
import { imagePath, missingImages, validImages } from '../../test/support/images.js'
import { filesOfFolder, MemoryFiles } from '../../test/support/memory-files.js'
import { createContext } from '../content/context.js'
import { type Digest, digestOf } from '../content/digest.js'
import { childrenOf, parseManifest } from '../content/manifest.js'
import { readLimited, verifyStream } from '../content/verify.js'
import { DirSource, openDir } from './dir-source.js'

const context = createContext()
const missing = missingImages()

describe.skipIf(missing)('folders in the dir format', () => {
  const folders = validImages().flatMap(({ name, expected: { dir } }) =>
    dir === undefined ? [] : [{ name, dir: { children: 0, ...dir } }],
  )

  it.each(folders)('reads everything that $name names', async ({ name, dir }) => {
    await using file = await openDir(await filesOfFolder(imagePath(name)), context)
    const [image] = file.images
    expect(image).toMatchObject({ digest: dir.digest, root: dir.digest, names: [] })
    if (image === undefined) return
    const root = await image.source.getManifest(image.root, context)
    const manifest = parseManifest(root.bytes, root.descriptor.mediaType, name)
    expect(image.configDigest).toBe(manifest.kind === 'image' ? manifest.config.digest : undefined)
    const pending =
      manifest.kind === 'index' ? manifest.manifests.map(({ digest }) => digest) : [root.descriptor.digest]
    expect(pending).toHaveLength(manifest.kind === 'index' ? dir.children : 1)
    for (const digest of pending) {
      const { bytes, descriptor } = await image.source.getManifest(digest, context)
      for (const blob of childrenOf(parseManifest(bytes, descriptor.mediaType, name))) {
        const stream = verifyStream(await image.source.openBlob(blob, context), blob, 'blob')
        expect((await readLimited(stream, 10_000_000, 'blob')).length).toBe(blob.size)
      }
    }
  })

  it('finds a manifest below an index that was not asked for yet', async () => {
    const source = await DirSource.open(await filesOfFolder(imagePath('skopeo122-dir-all')))
    const index = parseManifest(source.root.bytes, undefined, 'index')
    const child = childrenOf(index)[0]
    expect((await source.getManifest(child?.digest ?? '', context)).descriptor.digest).toBe(child?.digest)
    await expect(source.getManifest('latest', context)).rejects.toMatchObject({ kind: 'not-found' })
    expect(await source.listReferrers(source.root.descriptor.digest, context)).toEqual([])
  })

  it('says which blob is missing or has the wrong size', async () => {
    const files = await filesOfFolder(imagePath('skopeo122-dir'))
    const source = await DirSource.open(files)
    const [config, layer] = childrenOf(parseManifest(source.root.bytes, undefined, 'manifest'))
    if (config === undefined || layer === undefined) throw new Error('the image has a config and layers')
    files.files.delete(config.digest.slice('sha256:'.length))
    await expect(source.openBlob(config, context)).rejects.toThrow(`blob ${config.digest}`)
    await expect(source.openBlob({ ...layer, size: 1 }, context)).rejects.toMatchObject({
      code: 'size-mismatch',
    })
  })

  it('refuses a version that it does not know', async () => {
    const files = { version: 'Directory Transport Version: 2.0\n', 'manifest.json': '{}' }
    await expect(openDir(new MemoryFiles(files), context)).rejects.toThrow(
      'has a version file of an unknown kind',
    )
    await expect(openDir(new MemoryFiles({}), context)).rejects.toMatchObject({ code: 'bad-layout' })
  })

  it('finds a manifest whose bytes changed', async () => {
    const files = await filesOfFolder(imagePath('skopeo122-dir-all'))
    const child = [...files.names()].find(name => name.endsWith('.manifest.json')) ?? ''
    const bytes = Buffer.from(files.files.get(child) ?? '')
    bytes[bytes.length - 3] = 0x20
    files.files.set(child, bytes)
    const digest: Digest = `sha256:${child.slice(0, 64)}`
    expect(digestOf(bytes)).not.toBe(digest)
    const source = await DirSource.open(files)
    await expect(source.getManifest(digest, context)).rejects.toMatchObject({ code: 'digest-mismatch' })
  })
})
