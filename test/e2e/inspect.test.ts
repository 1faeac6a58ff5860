import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { formatReference } from '../../src/content/reference.js'
import { type Inspection, inspect } from '../../src/inspect.js'
import { parseLocator } from '../../src/location.js'
import { openImageFile } from '../../src/open-image-file.js'
import { imagePath, missingImages, validImages } from '../support/images.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'

/** What is refused by every command: its config isn't what its name says, no manifest, compressions that can't be read. */
const REFUSED: Record<string, string> = {
  'third-party/bazel-empty-history.tar': 'digest-mismatch',
  'third-party/ggcr-test-index': 'unsupported',
  'variants/oci-lz4.tar.lz4': 'unsupported-compression',
  'variants/oci-lzma.tar.lzma': 'unsupported-compression',
}

describe.skipIf(missingImages() !== undefined)('every image of the collection', () => {
  it.each(Object.entries(REFUSED))('%s is refused', async (name, code) => {
    const result = await regctl('inspect', imagePath(name), '--image', '#2', '--json')
    const alone = await regctl('inspect', imagePath(name), '--json')
    const codes = [result, alone].map(({ stdout }) => JSON.parse(stdout).error.code)
    expect(codes).toContain(code)
  })

  it.each(
    validImages()
      .filter(({ name }) => REFUSED[name] === undefined)
      .map(({ name, path, expected }) => [name, path, expected] as const),
  )('%s is described by the schema', async (_name, path, { docker }) => {
    const locator = await parseLocator(path, 'file')
    if (locator.kind === 'registry') throw new Error(formatReference(locator.reference))
    const context = createContext()
    await using file = await openImageFile(locator, context, { stdin: Readable.from([]) })
    for (const image of file.images) {
      const found = await inspect(image, context)
      expect(schemaErrors('inspect', JSON.stringify({ locator: path, ...found }))).toEqual([])
      expect(found.digest ?? found.image?.id).toBe(image.digest ?? image.configDigest)
      expectWhole(found)
      if (file.format === 'docker-archive') {
        const known = docker?.find(({ config }) => found.image?.id.endsWith(config.replace(/^.*:/, '')))
        expect(found.image?.layers.map(({ diffID }) => diffID)).toEqual(known?.diff_ids)
      }
    }
  })

  function expectWhole({ image, artifact, platforms }: Inspection): void {
    if (platforms === undefined) expect(image ?? artifact).toBeDefined()
    for (const layer of image?.layers ?? []) expect(layer.digest ?? layer.diffID).toBeDefined()
  }

  it.each([
    ['docker28-one.tar'],
    ['buildkit-oci-multi-attest.tar'],
    ['crane-nested-index'],
    ['skopeo122-dir'],
    ['umoci06-empty.tar'],
  ])('%s: the command prints that document', async name => {
    const { code, stdout, stderr } = await regctl('inspect', imagePath(name), '--json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(schemaErrors('inspect', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toMatchObject({ locator: imagePath(name) })
  })
})
