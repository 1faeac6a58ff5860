import { digestTags, subjectOfDigestTag } from '../content/digest-tags.js'
import type { IndexEntry } from './index-json.js'

/** What `cosign save` notes of each entry of its layout, which holds one image. */
const KIND_ANNOTATION = 'kind'
const IMAGE_KIND = /^dev\.cosignproject\.cosign\/image(?:Index)?$/
/** In the order of {@link digestTags}. */
const KINDS = ['sigs', 'atts', 'sboms'].map(kind => `dev.cosignproject.cosign/${kind}`)

/**
 * The entry that `cosign save` wrote for one of cosign's tags (rule R193): it writes the kind instead of the tag.
 *
 * @returns undefined when the layout is not one of cosign's, or the tag is not one about its image
 */
export function cosignEntry(entries: readonly IndexEntry[], tag: string): IndexEntry | undefined {
  const subject = subjectOfDigestTag(tag)
  if (subject === undefined) return undefined
  const kindOf = ({ descriptor }: IndexEntry) => descriptor.annotations?.[KIND_ANNOTATION] ?? ''
  const images = entries.filter(entry => IMAGE_KIND.test(kindOf(entry)))
  if (images.length !== 1 || images[0]?.descriptor.digest !== subject) return undefined
  const kind = KINDS[digestTags(subject).indexOf(tag)]
  return entries.find(entry => kindOf(entry) === kind)
}
