import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { exportedBytes, exportedLines, sourceOf } from '../../test/support/exported.js'
import { hardLink, imageOf, member, tarOf } from '../../test/support/raw-layers.js'

const plain = tarOf(member('a', { body: 'a' }))

describe('layers as they are stored', () => {
  it('are known by their bytes, not by their type (R173)', async () => {
    const image = imageOf([gzipSync(plain)], { diffIDs: [plain] })
    expect(await exportedBytes(sourceOf(image))).toEqual(await exportedBytes(sourceOf(imageOf([plain]))))
  })

  it('are refused when they hold something else than their diffID says (R174)', async () => {
    const image = imageOf([gzipSync(plain)], { diffIDs: [tarOf(member('b'))] })
    await expect(exportedBytes(sourceOf(image))).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'digest-mismatch',
      message: expect.stringMatching(
        /^layer [0-9a-f]{12} of test, uncompressed, should have the digest sha256:/,
      ),
    })
  })

  it('are refused when they have other bytes than their digest says', async () => {
    const image = imageOf([plain])
    const wrong = Buffer.from(plain)
    wrong[512] = 0x62
    const blobs = new Map(image.blobs).set(image.layers[0]?.digest ?? image.config.digest, wrong)
    await expect(exportedBytes(sourceOf({ ...image, blobs }))).rejects.toMatchObject({
      code: 'digest-mismatch',
    })
  })

  it('are refused when the config has another number of them', async () => {
    await expect(exportedBytes(sourceOf(imageOf([plain], { diffIDs: [] })))).rejects.toThrow(
      'the image in test has 1 layers, but its config has 0 diffIDs',
    )
  })
})

describe('names in layers', () => {
  it.each([
    ['../../etc/passwd', 'unsafe-path'],
    ['a/../../b', 'unsafe-path'],
    ['/../b', 'unsafe-path'],
    ['..', 'unsafe-path'],
    ['.wh...', 'bad-whiteout'],
    ['d/.wh..', 'bad-whiteout'],
    ['.wh.', 'bad-whiteout'],
    ['.wh.d/a', 'bad-whiteout'],
  ])('are refused when they lead out or are no whiteouts: %s (R223, R225)', async (name, code) => {
    await expect(exportedLines([tarOf(member(name))])).rejects.toMatchObject({ kind: 'corrupt', code })
  })

  it('are refused as targets of hard links when they lead out (R225)', async () => {
    await expect(exportedLines([tarOf(hardLink('a', '../../etc/passwd'))])).rejects.toMatchObject({
      code: 'unsafe-path',
      message: expect.stringContaining('has "../../etc/passwd", which leads out of the root'),
    })
  })

  it('may be as deep as a name is long', async () => {
    const lines = await exportedLines([tarOf(member(`${'d/'.repeat(2000)}f`, { body: 'x' }))])
    expect(lines).toHaveLength(2001)
    expect(lines.at(-1)).toBe(`${'d/'.repeat(2000)}f x`)
  })
})
