import { describe, expect, it } from 'vitest'
import { CONTENT_FAULTS } from '../support/faults/content.js'
import { corrupt, type Expected, ROUTES, testMatrix } from './matrix.js'
import { listOf, withRepository } from './transfer.js'

type ManifestFault = Exclude<keyof typeof CONTENT_FAULTS, 'tags-null' | 'tag-like-an-escape-sequence'>

const ENDS: Record<ManifestFault, Expected> = {
  'manifest-of-two-kinds': corrupt('ambiguous', /manifest/),
  'media-type-differs-from-header': corrupt(
    'media-type-mismatch',
    /is announced as .* but its content is of another kind/,
  ),
  'size-negative': corrupt('bad-shape', /size/),
  'size-1e20': corrupt('bad-shape', /size/),
  'digest-that-is-a-path': corrupt('bad-digest', /digest/),
  'index-containing-itself': corrupt('digest-mismatch', /digest/),
  'manifest-of-5-mib': corrupt('too-large', /4 MiB|4194304/),
}

testMatrix(
  'content',
  (Object.keys(ENDS) as ManifestFault[]).map(name => ({
    fault: `content/${name}`,
    when: 'always',
    verbs: ['pull', 'copy'],
    rules: [{ route: ROUTES.getManifest, fault: CONTENT_FAULTS[name] }],
    expected: ENDS[name],
    requestsAtMost: 6,
  })),
)

describe('content:', () => {
  it.each([
    ['tags-null', [], 0],
    ['tag-like-an-escape-sequence', ['1.0'], 1],
  ] as const)('a list of tags has what is a tag after content/%s', async (name, tags, warnings) => {
    const rules = [{ route: /tags\/list/, fault: CONTENT_FAULTS[name] }]
    await withRepository(rules, async (repository, context, _registry, warned) => {
      expect(await listOf(repository.listTags(context))).toEqual(tags)
      expect(warned()).toHaveLength(warnings)
      for (const warning of warned()) expect(warning).toMatch(/lists 1 names that are no tags/)
    })
  })
})
