import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.js'
import { digestTags, subjectOfDigestTag } from './digest-tags.js'

const subject = digestOf(Buffer.from('an image'))
const hex = subject.slice('sha256:'.length)

describe('digest tags (R193)', () => {
  it('are the digest with a dash, and what it is about', () => {
    expect(digestTags(subject)).toEqual([`sha256-${hex}.sig`, `sha256-${hex}.att`, `sha256-${hex}.sbom`])
  })

  it('lead back to their subject', () => {
    for (const tag of digestTags(subject)) expect(subjectOfDigestTag(tag)).toBe(subject)
  })

  it.each(['latest', `sha256-${hex}`, `sha256-${hex}.txt`, `sha256-${hex.slice(1)}.sig`, `x-${hex}.sig`])(
    'are not made of %s',
    tag => expect(subjectOfDigestTag(tag)).toBeUndefined(),
  )
})
