import { isTag } from '../content/reference.js'
import type { IndexEntry } from './index-json.js'
import { LayoutError } from './layout-error.js'

/**
 * Finds the entry that has a name: as the whole of one of its annotations, or else as the tag at the end of a full
 * reference (`1.0` finds `example.org/app:1.0`).
 *
 * @returns undefined when none has it
 * @throws LayoutError of kind `usage`, code `ambiguous`, when manifests of different digests have it (rule R190)
 */
export function entryNamed(
  entries: readonly IndexEntry[],
  name: string,
  label: string,
): IndexEntry | undefined {
  const exact = entries.filter(entry => entry.name === name || entry.refName === name)
  const suffix = `:${name}`
  const found =
    exact.length > 0 || !isTag(name) ? exact : entries.filter(entry => entry.name?.endsWith(suffix) === true)
  const digests = [...new Set(found.map(entry => entry.descriptor.digest))]
  if (digests.length > 1) {
    throw new LayoutError(`${label} holds ${digests.length} images with the name ${name}`, {
      kind: 'usage',
      code: 'ambiguous',
      hint: `Ask for one by its digest: ${digests.join(', ')}`,
    })
  }
  return found[0]
}

/**
 * Finds the entry of a tag. The tag of a repository is what has its full reference, and nothing else.
 *
 * @param repository the full name (`docker.io/acme/app`); without one, a tag is also found as {@link entryNamed} finds it
 * @returns undefined when there is none
 * @throws as {@link entryNamed}
 */
export function entryTagged(
  entries: readonly IndexEntry[],
  tag: string,
  repository: string | undefined,
  label: string,
): IndexEntry | undefined {
  if (repository !== undefined) return entries.find(({ name }) => name === `${repository}:${tag}`)
  const tagged = entries.filter(entry => entry.refName === tag)
  return entryNamed(tagged.length > 0 ? tagged : entries, tag, label)
}
