import { isTag, parseReference, type Reference } from '../content/reference.js'
import { RegctlError } from '../errors.js'
import type { Locator } from '../open/location.js'

/** Tags were asked for in a way that makes no sense. */
export class TagError extends RegctlError {}

/** A new name for an image. */
export interface TagName {
  /** As it was given. */
  text: string
  /** `host/repository`, or the path of a layout. */
  place: string
  /** Without the host; undefined in a layout. */
  repository: string | undefined
  tag: string
}

/**
 * Reads the new names of an image. One without a slash and a colon is a tag beside the image; the others are references
 * within its registry, or locators of its layout.
 *
 * @throws TagError `bad-tag`, `digest-as-name`, `other-registry` or `other-layout`; ContentError `bad-reference`
 */
export function parseTagNames(locator: Locator, names: readonly string[]): TagName[] {
  return names.map(text => {
    if (!/[/:@]/.test(text)) return besideImage(locator, text)
    return locator.kind === 'registry' ? inRegistry(locator.reference, text) : inLayout(locator, text)
  })
}

function besideImage(locator: Locator, text: string): TagName {
  if (!isTag(text)) {
    throw new TagError(`"${text}" is not a tag`, {
      kind: 'usage',
      code: 'bad-tag',
      hint: 'A tag has letters, digits, "_", "." and "-", 128 at most',
    })
  }
  if (locator.kind !== 'registry') return { text, place: pathOf(locator), repository: undefined, tag: text }
  const { registry, repository } = locator.reference
  return { text, place: `${registry}/${repository}`, repository, tag: text }
}

function inRegistry(image: Reference, text: string): TagName {
  const { registry, repository, tag, digest } = parseReference(text)
  if (digest !== undefined) {
    throw new TagError(`${text} is a digest, and no name that can be given`, {
      kind: 'usage',
      code: 'digest-as-name',
      hint: 'Name a tag',
    })
  }
  if (registry !== image.registry) {
    throw new TagError(`${text} is in another registry than ${image.registry}, where the image is`, {
      kind: 'usage',
      code: 'other-registry',
      hint: `To send it there, run \`regctl copy\` to ${text}`,
    })
  }
  return { text, place: `${registry}/${repository}`, repository, tag: tag ?? 'latest' }
}

function inLayout(locator: Locator, text: string): TagName {
  const path = pathOf(locator)
  const tag = text.startsWith(`oci:${path}:`) ? text.slice(`oci:${path}:`.length) : ''
  if (isTag(tag)) return { text, place: path, repository: undefined, tag }
  throw new TagError(`${text} is no name in the layout ${path}`, {
    kind: 'usage',
    code: 'other-layout',
    hint: `Give a tag alone; to send the image somewhere else, run \`regctl copy\``,
  })
}

function pathOf(locator: Locator): string {
  return locator.kind === 'file' ? locator.path : '-'
}
