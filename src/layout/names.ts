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
