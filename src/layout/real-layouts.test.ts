import { describe, expect, it } from 'vitest'
import { brokenImages, imagePath, missingImages, validImages } from '../../test/support/images.js'
import { openArchive } from '../archive/open-archive.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import { childrenOf, parseManifest } from '../content/manifest.js'
import { isForeignLayerType } from '../content/media-types.js'
import type { Source } from '../content/store.js'
import { readLimited, verifyStream } from '../content/verify.js'
import type { FileSet } from '../tar/file-set.js'
import { openLayout } from './layout-source.js'

const context = createContext()
const missing = missingImages()
function filesOf(name: string): Promise<FileSet> {
  return openArchive(imagePath(name), { signal: context.signal })
}

/** Everything below a manifest, each digest once, in the order in which it is met. */
async function walk(
  source: Source,
  root: string,
  seen = new Map<string, string>(),
): Promise<Map<string, string>> {
  const { descriptor, bytes } = await source.getManifest(root, context)
  if (seen.has(descriptor.digest)) return seen
  const manifest = parseManifest(bytes, descriptor.mediaType, 'manifest')
  seen.set(descriptor.digest, manifest.kind)
  for (const child of childrenOf(manifest)) {
    if (manifest.kind === 'index') await walk(source, child.digest, seen)
    else if (!isForeignLayerType(child.mediaType)) {
      await readBlob(source, child)
      seen.set(child.digest, 'blob')
    }
  }
  return seen
}

async function readBlob(source: Source, descriptor: Descriptor): Promise<Buffer> {
  const stream = verifyStream(await source.openBlob(descriptor, context), descriptor, 'blob')
  return await readLimited(stream, 10_000_000, 'blob')
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return await work.then(
    () => 'ok',
    error => (error as { code: string }).code,
  )
}

describe.skipIf(missing)('real layouts', () => {
  // No decoder for lz4 and lzma is at hand: the reader of archives says so.
  const readable = validImages().filter(({ name }) => !/\.(lz4|lzma)$/.test(name))
  const layouts = readable.flatMap(({ name, expected: { oci } }) =>
    oci === undefined ? [] : [{ name, oci }],
  )

  it('are there to be read', () => {
    expect(layouts.length).toBeGreaterThan(90)
  })

  it.each(layouts)('lists and reads every root, manifest and blob of $name', async ({ name, oci }) => {
    await using file = await openLayout(await filesOf(name), context)
    const namesByDigest = new Map<string, Set<string>>()
    for (const { digest, ref, image_name } of oci.roots) {
      const names = namesByDigest.get(digest) ?? new Set<string>()
      const own = image_name ?? ref
      namesByDigest.set(digest, own === null ? names : names.add(own))
    }
    expect(file.images.map(({ digest, names }) => [digest, [...names]])).toEqual(
      [...namesByDigest].map(([digest, names]) => [digest, [...names]]),
    )
    const seen = new Map<string, string>()
    for (const image of file.images) {
      const known = oci.roots.some(root => root.digest === image.digest && isKnown(root.mt))
      if (known) await walk(image.source, image.root, seen)
      else {
        await expect(walk(image.source, image.root)).rejects.toMatchObject({ code: 'unsupported' })
        seen.set(image.root, 'image')
      }
    }
    const kinds = [...seen.values()]
    expect(kinds.filter(kind => kind === 'image')).toHaveLength(oci.manifests)
    expect(kinds.filter(kind => kind === 'index')).toHaveLength(oci.indexes)
  })
})

function isKnown(shortType: string): boolean {
  return !shortType.startsWith('oci.descriptor')
}

describe.skipIf(missing)('broken layouts', () => {
  const broken = brokenImages().flatMap(({ name, expected: { error = '' } }) =>
    /^(broken\/(oci-|dir-missing|dir-flipped|nested-)|skopeo122-sparse)/.test(name) ? [{ name, error }] : [],
  )

  async function readAll(name: string): Promise<string> {
    return await codeOf(
      (async () => {
        await using file = await openLayout(await filesOf(name), context)
        if (file.images.length === 0)
          throw Object.assign(new Error('nothing to push'), { code: 'nothing-to-push' })
        for (const image of file.images) await walk(image.source, image.root)
      })(),
    )
  }

  it.each(broken)('finds $error in $name', async ({ name, error }) => {
    const code = await readAll(name)
    const allowed = error.split(/-or-|or-/).filter(part => part !== '')
    expect([...allowed, error]).toContain(code)
  })
})
