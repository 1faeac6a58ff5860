import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { brokenImages, missingImages, validImages } from '../../test/support/images.js'
import { createContext } from '../content/context.js'
import { messageOf, RegctlError } from '../errors.js'
import { parseLocator } from '../open/location.js'
import { RegistryClient } from '../registry/client.js'
import { openImages } from './open-images.js'
import type { Finding } from './verify-image.js'
import { verifyRoots } from './verify-roots.js'

const context = createContext()

/** What is wrong with a file: nothing, or a line for each problem. */
async function problemsOf(path: string, options: { full: boolean; sparse?: boolean }): Promise<string[]> {
  const findings: Finding[] = []
  await using client = new RegistryClient({ credentials: { find: async () => undefined } })
  try {
    const stdin = Readable.from([])
    const locator = await parseLocator(path, 'file')
    await using opened = await openImages(locator, context, { client, stdin, all: true })
    const verified = await verifyRoots(opened.roots, context, {
      ...options,
      tell: finding => findings.push(finding),
    })
    const problems = findings.filter(({ type }) => type === 'problem')
    expect(verified.problems).toBe(problems.length)
    return problems.map(({ message }) => message)
  } catch (error) {
    if (!(error instanceof RegctlError)) throw error
    return [messageOf(error)]
  }
}

/** Whole, as far as their tools are concerned, but not by the rules; with the first problem. */
const NOT_BY_THE_RULES: Partial<Record<string, RegExp>> = {
  'third-party/bazel-empty-history.tar': /^config \S+ of \S+ should have the digest/,
  'variants/oci-lz4.tar.lz4': /is compressed with lz4, which cannot be read/,
  'variants/oci-lzma.tar.lzma': /is compressed with lzma, which cannot be read/,
}

describe.skipIf(missingImages() !== undefined)('an image of the collection', () => {
  it.each(validImages().map(({ name, path, expected }) => ({ name, path, expected })))(
    'verifies where it is whole: $name',
    async ({ name, path, expected }) => {
      const quick = await problemsOf(path, { full: false })
      const full = await problemsOf(path, { full: true })
      const reason = NOT_BY_THE_RULES[name]
      if (reason !== undefined) return expect(full[0]).toMatch(reason)
      // What a layer may not be distributed for need not be there.
      const isWhole = (expected.oci?.absent ?? []).length === 0 || name === 'layouts/foreign-layer.tar'
      expect([quick.length === 0, full.length === 0]).toEqual([isWhole, isWhole])
    },
  )

  it.each(brokenImages().map(({ name, path, expected }) => ({ name, path, expected })))(
    'does not verify where it is broken: $name',
    async ({ path, expected }) => {
      const problems = await problemsOf(path, { full: true })
      // Some may be taken or refused.
      if (/(?:^|-or-)(?:ok|ignored)$/.test(expected.error ?? '')) return
      expect(problems).not.toEqual([])
    },
  )
})
