import { existsSync } from 'node:fs'
import { parseReference, type Reference } from '../content/reference.js'
import { RegctlError } from '../errors.js'

/** Where an image can be: in a registry, on disk, or at standard input or output. */
export type Locator =
  | { kind: 'registry'; reference: Reference }
  | { kind: 'file'; path: string; format?: FileFormat; image?: string }
  | { kind: 'stdio'; format?: FileFormat }

/** Where an image can be on this machine. */
export type LocalLocator = Exclude<Locator, { kind: 'registry' }>

/** The formats of images on disk, with skopeo's names. */
export type FileFormat = 'docker-archive' | 'oci-archive' | 'oci' | 'dir'

/** A locator can't be read, or what it names is not there or is no image. */
export class LocationError extends RegctlError {}

/**
 * Reads a locator. The formats with a prefix are skopeo's; `./`, `../`, `/` and a drive letter begin a path; `-` is
 * standard input or output. What else there is, is `otherwise`, except that a file or folder of that name counts as a path.
 *
 * @throws ContentError `bad-reference` when it is a reference that is malformed
 * @example
 * await parseLocator('oci:out:1.0', 'registry') // { kind: 'file', path: 'out', format: 'oci', image: '1.0' }
 */
export async function parseLocator(text: string, otherwise: 'file' | 'registry'): Promise<Locator> {
  if (text === '-') return { kind: 'stdio' }
  const colon = text.indexOf(':')
  const format = FORMATS.find(name => name === text.slice(0, Math.max(0, colon)))
  if (format !== undefined && colon < text.length - 1) return parsePrefixed(format, text.slice(colon + 1))
  if (text.startsWith('docker://')) return { kind: 'registry', reference: parseReference(text) }
  if (startsPath(text) || otherwise === 'file' || existsSync(text)) {
    return { kind: 'file', path: text }
  }
  return { kind: 'registry', reference: parseReference(text) }
}

const FORMATS = ['docker-archive', 'oci-archive', 'oci', 'dir'] as const satisfies readonly FileFormat[]

/** What no reference begins with. Windows writes paths with a backslash and a drive letter too. */
function startsPath(text: string): boolean {
  // Most locators need no expression to be compiled.
  return ('./\\'.includes(text.charAt(0)) || text.charAt(1) === ':') && PATH_START.test(text)
}

const PATH_START = /^(?:\.{0,2}[\\/]|\.{1,2}$|[A-Za-z]:[\\/])/

function parsePrefixed(format: FileFormat, rest: string): Locator {
  if (rest === '-') return { kind: 'stdio', format }
  if (format === 'dir') return { kind: 'file', path: rest, format }
  // A drive letter's colon belongs to the path.
  const colon = rest.indexOf(':', /^[A-Za-z]:[\\/]/.test(rest) ? 2 : 0)
  if (colon < 0) return { kind: 'file', path: rest, format }
  return { kind: 'file', path: rest.slice(0, colon), format, image: rest.slice(colon + 1) }
}

/**
 * Reads a locator of something on this machine.
 *
 * @throws LocationError `not-local` when it names a registry
 */
export async function parseLocalLocator(text: string): Promise<LocalLocator> {
  const locator = await parseLocator(text, 'file')
  if (locator.kind !== 'registry') return locator
  throw new LocationError(`${text} is in a registry`, {
    kind: 'usage',
    code: 'not-local',
    hint: 'Use `regctl copy` from one registry to another',
  })
}
