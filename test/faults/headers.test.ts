import { describe, expect, it } from 'vitest'
import { HEADER_FAULTS } from '../support/faults/headers.js'
import { corrupt, ROUTES, type Row, testMatrix } from './matrix.js'
import { IMAGE, listOf, withRepository } from './transfer.js'

const { getManifest, getBlob, startUpload, putManifest, putBlob } = ROUTES
const WRONG_DIGEST = corrupt('digest-mismatch', /0{12}/)

/** What an answer says of itself beside the content does no harm. */
const harmless: Row[] = (
  ['no-content-type', 'wrong-content-type', 'content-type-with-charset', 'no-digest', 'no-length'] as const
).flatMap((name): Row[] => {
  const common = { fault: `headers/${name}`, expected: 'done' } as const
  const fault = HEADER_FAULTS[name]
  return [
    { ...common, when: 'of the manifest', verbs: ['pull', 'copy'], rules: [{ route: getManifest, fault }] },
    { ...common, when: 'of each blob', verbs: ['pull', 'copy'], rules: [{ route: getBlob, fault }] },
    {
      ...common,
      when: 'of what is stored',
      verbs: ['push', 'copy'],
      rules: [
        { route: putBlob, fault },
        { route: putManifest, fault },
      ],
    },
  ]
})

const wrongDigest = { fault: 'headers/wrong-digest', expected: WRONG_DIGEST } as const
const encoding = { fault: 'headers/false-content-encoding', expected: 'done' } as const

testMatrix('headers', [
  ...harmless,
  {
    ...wrongDigest,
    when: 'of the manifest',
    verbs: ['pull', 'copy'],
    rules: [{ route: getManifest, fault: HEADER_FAULTS['wrong-digest'] }],
  },
  {
    ...wrongDigest,
    when: 'of each blob, which is hashed itself',
    verbs: ['pull', 'copy'],
    rules: [{ route: getBlob, fault: HEADER_FAULTS['wrong-digest'] }],
    expected: 'done',
  },
  {
    ...wrongDigest,
    when: 'of a stored blob',
    verbs: ['push', 'copy'],
    rules: [{ route: putBlob, fault: HEADER_FAULTS['wrong-digest'] }],
    expected: corrupt('digest-mismatch', /stored another digest/),
  },
  {
    ...wrongDigest,
    when: 'of the stored manifest',
    verbs: ['push', 'copy'],
    rules: [{ route: putManifest, fault: HEADER_FAULTS['wrong-digest'] }],
    isWhole: true,
  },
  {
    ...encoding,
    when: 'of the manifest',
    verbs: ['pull', 'copy'],
    rules: [{ route: getManifest, fault: HEADER_FAULTS['false-content-encoding'] }],
  },
  {
    ...encoding,
    when: 'of each blob',
    verbs: ['pull', 'copy'],
    rules: [{ route: getBlob, fault: HEADER_FAULTS['false-content-encoding'] }],
  },
  {
    fault: 'headers/location-of-20-kib',
    when: 'always',
    verbs: ['push', 'copy'],
    rules: [{ route: startUpload, fault: HEADER_FAULTS['location-of-20-kib'] }],
    expected: 'done',
  },
])

describe('headers:', () => {
  it('a size is asked for by GET after headers/head-length-0', async () => {
    const rules = [{ route: /^HEAD /, fault: HEADER_FAULTS['head-length-0'] }]
    await withRepository(rules, async (repository, context) => {
      const { descriptor } = IMAGE.manifest
      expect(await repository.statManifest('1', context)).toEqual(descriptor)
      const [layer] = IMAGE.layers
      if (layer === undefined) throw new Error('the image has no layer')
      expect(await repository.statBlob(layer.digest, context)).toBe(layer.size)
    })
  })

  it.each([
    ['link-loop', /pages go in a circle|nothing new, and a link to more/],
    ['link-to-other-host', /the next page is on another host|leave TLS/],
  ] as const)('a list of tags ends with bad-link after headers/%s', async (name, says) => {
    const rules = [{ route: /tags\/list/, fault: HEADER_FAULTS[name] }]
    await withRepository(rules, async (repository, context, registry) => {
      const list = async () => await listOf(repository.listTags(context))
      await expect(list()).rejects.toMatchObject({ kind: 'network', code: 'bad-link' })
      await expect(list()).rejects.toThrow(says)
      expect(registry.lines.length).toBeLessThan(12)
    })
  })
})
