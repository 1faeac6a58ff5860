import { createReadStream, readdirSync, statSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { missingImages } from '../../test/support/images.js'
import { type Digest, Digester } from '../content/digest.js'
import type { FileSet } from '../tar/file-set.js'
import { openArchive, openArchiveStream } from './open-archive.js'

const IMAGES = fileURLToPath(new URL('../../../shared/images/', import.meta.url))
const { signal } = new AbortController()
const UNSUPPORTED = ['oci-lz4.tar.lz4', 'oci-lzma.tar.lzma']
const isMissing = missingImages() !== undefined
const VARIANTS = isMissing ? [] : readdirSync(`${IMAGES}variants`).filter(name => !UNSUPPORTED.includes(name))

async function digestsOf(files: FileSet): Promise<Map<string, Digest>> {
  const digests = new Map<string, Digest>()
  for (const name of files.names()) {
    const digester = new Digester()
    for await (const chunk of (await files.open(name)) as AsyncIterable<Buffer>) digester.update(chunk)
    const entry = await files.stat(name)
    expect(entry?.size, name).toBe(digester.size)
    const digest = digester.digest()
    if (entry?.spooled !== undefined) expect(entry.spooled.digest, name).toBe(digest)
    digests.set(name, digest)
  }
  return digests
}

async function digestsIn(path: string): Promise<Map<string, Digest>> {
  await using files = await openArchive(path, { signal })
  return await digestsOf(files)
}

/** The contents of the archive that a variant was made from, by digest. */
const bases = new Map<string, Map<string, Digest>>()
async function baseOf(variant: string): Promise<Map<string, Digest>> {
  const name = variant.startsWith('da') ? 'docker20-dup-layers.tar' : 'skopeo122-oci-archive.tar'
  const base = bases.get(name) ?? (await digestsIn(IMAGES + name))
  bases.set(name, base)
  return base
}

/**
 * What a variant must have in common with its base. Most hold the same files under the same names; these change a
 * name or a metadata file on purpose.
 */
function mustBeSame(variant: string, name: string, files: Map<string, Digest>): boolean {
  if (/flat-names|gzip-layers|hardlinks|symlinks|long-/.test(variant) && variant.startsWith('da')) {
    return name !== 'manifest.json' && files.has(name)
  }
  return !(variant === 'oci-pretty-index.tar' && name === 'index.json')
}

function expectSameFiles(variant: string, files: Map<string, Digest>, base: Map<string, Digest>): void {
  let compared = 0
  for (const [name, digest] of base) {
    if (!mustBeSame(variant, name, files)) continue
    expect(files.get(name), `${name} in ${variant}`).toBe(digest)
    compared++
  }
  const isRenamed = /flat-names|gzip-layers/.test(variant)
  expect(compared, variant).toBeGreaterThan(isRenamed ? -1 : 0)
}

/** Layers by digest: also where a variant gave them other names. */
const RENAMED = VARIANTS.filter(name => /^da-(flat-names|hardlinks|symlinks|long-)/.test(name))

describe.skipIf(isMissing)('openArchive', () => {
  it.each(VARIANTS)('reads variants/%s as the archive it was made from', async variant => {
    expectSameFiles(variant, await digestsIn(`${IMAGES}variants/${variant}`), await baseOf(variant))
  })

  it.each(RENAMED)('finds every layer in variants/%s', async variant => {
    const base = await baseOf(variant)
    const layers = [...base].filter(([name]) => name.endsWith('/layer.tar')).map(([, digest]) => digest)
    const found = new Set((await digestsIn(`${IMAGES}variants/${variant}`)).values())
    for (const layer of layers) expect(found).toContain(layer)
  })
})

describe.skipIf(isMissing)('openArchiveStream', () => {
  it.each(VARIANTS)('reads variants/%s through a pipe as from the file', async variant => {
    const path = `${IMAGES}variants/${variant}`
    const input = createReadStream(path, { highWaterMark: 1000 })
    await using files = await openArchiveStream(input, 'standard input', { signal })
    expect(await digestsOf(files)).toEqual(await digestsIn(path))
  })
})

describe.skipIf(isMissing)('every valid image that is a file', () => {
  const paths = (isMissing ? [] : readdirSync(IMAGES)).filter(name => /\.(tar|tgz)/.test(name))

  it.each(paths)('reads the same from %s and through a pipe', async name => {
    const path = IMAGES + name
    if (!statSync(path).isFile()) return
    await using files = await openArchiveStream(createReadStream(path), 'standard input', { signal })
    expect(await digestsOf(files)).toEqual(await digestsIn(path))
  })
})

afterAll(() => bases.clear())
