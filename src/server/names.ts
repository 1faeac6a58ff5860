import { type Digest, isDigest, parseDigest } from '../content/digest.js'
import { isRepositoryName, isTag } from '../content/reference.js'
import { messageOf } from '../errors.js'
import { RegistryError } from './errors.js'

/**
 * Reads a digest out of a request (rule R204).
 *
 * @throws RegistryError DIGEST_INVALID
 */
export function digestFrom(text: string): Digest {
  try {
    return parseDigest(text)
  } catch (error) {
    throw new RegistryError('DIGEST_INVALID', messageOf(error))
  }
}

/**
 * Checks the last part of a manifest's path: a digest when it has a colon, which no tag has, else a tag.
 *
 * @throws RegistryError DIGEST_INVALID or TAG_INVALID
 */
export function tagOrDigestFrom(text: string): { tag: string } | { digest: Digest } {
  if (text.includes(':') || isDigest(text)) return { digest: digestFrom(text) }
  return { tag: tagFrom(text) }
}

/**
 * Checks a tag.
 *
 * @throws RegistryError TAG_INVALID
 */
export function tagFrom(text: string): string {
  if (isTag(text)) return text
  throw new RegistryError(
    'TAG_INVALID',
    'a tag has letters, digits, "_", "." and "-", 128 at most, and starts with none of the last two',
  )
}

/**
 * Checks a repository's name. What is refused here never reaches a store, which may make a path of it.
 *
 * @throws RegistryError NAME_INVALID
 */
export function repositoryNameFrom(text: string): string {
  if (isRepositoryName(text)) return text
  throw new RegistryError(
    'NAME_INVALID',
    'a repository name has lower-case letters and digits, with ".", "_", "-" and "/" between them',
  )
}
