import { hexOf } from '../content/digest.js'
import { formatReference, parseReference, type Reference } from '../content/reference.js'
import { RegctlError } from '../errors.js'
import { type FileFormat, type LocalLocator, parseLocalLocator, parseLocator } from '../open/location.js'
import { formatFor, statedNames } from '../open/open-sink.js'

/** A pull was asked for in a way that makes no sense. */
export class PullError extends RegctlError {}

/** What a pull will read, and where it will write. */
export interface PullPlan {
  /** Each once, in the order in which they were named. */
  references: readonly Reference[]
  destination: LocalLocator
  /** The destination as the user would write it. */
  place: string
  format: FileFormat
}

/** What {@link planPull} takes besides the arguments. */
export interface PullPlanOptions {
  /** The destination, so that every argument is a reference. */
  output?: string | undefined
  format?: FileFormat | undefined
}

/**
 * Tells references and destination apart: the last of several arguments is the destination, unless the options state one.
 * One argument alone is written here, to a file or folder that is named for it.
 *
 * @throws PullError of kind `usage`: `no-reference`, `not-an-image`, `no-destination`, `same-name`, `several-images`, `named-twice`; ContentError
 * `bad-reference`; LocationError
 * @example
 * await planPull(['localhost:5000/app:1.0'], {}) // writes app_1.0.tar
 */
export async function planPull(parameters: readonly string[], options: PullPlanOptions): Promise<PullPlan> {
  const hasOwnDestination = options.output !== undefined || parameters.length < 2
  const texts = hasOwnDestination ? parameters : parameters.slice(0, -1)
  const last = hasOwnDestination ? undefined : parameters.at(-1)
  if (last !== undefined) await checkDestination(last)
  const references = distinct(texts.map(parseImage))
  const [first] = references
  if (first === undefined) throw new PullError('no image is named', { kind: 'usage', code: 'no-reference' })
  const place = options.output ?? last ?? defaultName(first, options.format)
  const isDefault = options.output === undefined && last === undefined
  const destination: LocalLocator = isDefault ? { kind: 'file', path: place } : await parseLocalLocator(place)
  const format = await formatFor(destination, options.format)
  if (references.length > 1) checkTakesSeveral(place, destination, format)
  return { references, destination, place, format }
}

/** @throws ContentError `bad-reference`; PullError `not-an-image` for what is surely a path */
function parseImage(text: string): Reference {
  if (!/^(?:\.{0,2}[\\/]|(?:docker-archive|oci-archive|oci|dir):[./])/.test(text)) return parseReference(text)
  throw new PullError(`${text} is a path, where an image in a registry is wanted`, {
    kind: 'usage',
    code: 'not-an-image',
    hint: 'Name the images first and the destination last; `regctl copy` reads files',
  })
}

/** Docker's users name images only; a name as the destination is such a mistake, and no file that anybody wants. */
async function checkDestination(text: string): Promise<void> {
  // What is no reference at all can well be a file's name.
  const locator = await parseLocator(text, 'registry').catch(() => undefined)
  if (locator?.kind !== 'registry') return
  const { registry, tag, digest } = locator.reference
  const isImage = text.startsWith('docker://') || registry.includes(':')
  if (isImage || tag !== undefined || digest !== undefined) throw noDestination(text)
}

function noDestination(text: string): PullError {
  return new PullError(`${text} is the destination here, but it looks like an image to pull`, {
    kind: 'usage',
    code: 'no-destination',
    hint: `Name a file last, as in \`images.tar\`, or with \`--output\`; write ./${text.slice(text.lastIndexOf('/') + 1)} if it is one`,
  })
}

/** The references without those that repeat. A name can be that of one image only. */
function distinct(references: readonly Reference[]): Reference[] {
  const byText = new Map<string, Reference>()
  const byName = new Map<string, string>()
  for (const reference of references) {
    const { registry, repository, tag, digest } = withTag(reference)
    const text = formatReference(withTag(reference))
    if (byText.has(text)) continue
    byText.set(text, reference)
    if (tag === undefined) continue
    const name = formatReference({ registry, repository, tag })
    const other = byName.get(name)
    if (other !== undefined) {
      throw new PullError(`${other} and ${text} have the same name, which can be that of one image only`, {
        kind: 'usage',
        code: 'same-name',
        ...(digest !== undefined && { hint: 'Leave the tag out where a digest is named' }),
      })
    }
    byName.set(name, text)
  }
  return [...byText.values()]
}

function withTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference
}

/** `app_1.0.tar`, or `app_sha256-0123456789ab.tar`; without the ending where it is a folder. */
function defaultName(reference: Reference, format: FileFormat | undefined): string {
  const { repository, tag, digest } = withTag(reference)
  const name = repository.slice(repository.lastIndexOf('/') + 1)
  const version = tag ?? (digest === undefined ? 'latest' : `sha256-${hexOf(digest).slice(0, 12)}`)
  return `${name}_${version}${format === 'oci' || format === 'dir' ? '' : '.tar'}`
}

function checkTakesSeveral(place: string, destination: LocalLocator, format: FileFormat): void {
  if (format === 'dir') {
    throw new PullError(`${place} can hold one image only, in the dir format`, {
      kind: 'usage',
      code: 'several-images',
      hint: 'Write an archive, or an OCI layout with `--format oci`',
    })
  }
  if (statedNames(destination, format) === undefined) return
  throw new PullError(`${place} names one image, and several are pulled`, {
    kind: 'usage',
    code: 'named-twice',
    hint: 'Leave the name out: each image keeps its own',
  })
}
