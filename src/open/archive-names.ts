import { formatReference, isTag, parseReference, repositoryOf } from '../content/reference.js'
import type { FileFormat, Locator } from './location.js'

/** Under which names an image stands in a file. */
export interface ImageName {
  /** The full name that the tags belong to (`docker.io/acme/app`); undefined when there are only tags. */
  repository?: string
  tags: readonly string[]
}

/**
 * The name that an image brings along: its reference in a registry, or the names that its file has for it. Of several
 * names those of the first one's repository are taken.
 *
 * @param names of an image on disk
 */
export function nameOfSource(locator: Locator, names: readonly string[], tags: readonly string[]): ImageName {
  if (locator.kind === 'registry') return { repository: repositoryOf(locator.reference), tags }
  const bare = names.filter(isTag)
  const full = names.filter(name => !isTag(name)).flatMap(name => parseName(name) ?? [])
  const repository = full[0]?.repository
  const own = full.filter(name => name.repository === repository).flatMap(name => name.tags)
  return { ...(repository !== undefined && { repository }), tags: [...new Set([...own, ...bare])] }
}

/**
 * The name that an image gets in a file: the one that the locator states, or else the one that it brings along. A
 * docker-archive's are full references; in an OCI layout what is stated is the name, whatever it is, as skopeo has it.
 *
 * @throws ContentError `bad-reference` for a docker-archive's name that is none
 */
export function nameInFile(stated: string | undefined, format: FileFormat, brought: ImageName): ImageName {
  if (stated === undefined || stated === '') return brought
  if (format !== 'docker-archive') return { ...brought, tags: [stated] }
  const reference = parseReference(stated)
  return { repository: repositoryOf(reference), tags: [reference.tag ?? 'latest'] }
}

function parseName(name: string): { repository: string; tags: string[] } | undefined {
  try {
    const reference = parseReference(name)
    const tag = reference.tag ?? (reference.digest === undefined ? 'latest' : undefined)
    return { repository: repositoryOf(reference), tags: tag === undefined ? [] : [tag] }
  } catch {
    // A layout's name can be anything at all.
    return undefined
  }
}

/** `host/repository`, with its tag or digest where it has one; a path. For messages. */
export function describeLocator(locator: Locator): string {
  if (locator.kind === 'registry') return formatReference(locator.reference)
  if (locator.kind === 'stdio') return '-'
  return locator.image === undefined ? locator.path : `${locator.path}:${locator.image}`
}
