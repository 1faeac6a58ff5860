import { algorithmOf, type Digest, hexOf } from '../content/digest.js'
import { parseJsonObject } from '../content/manifest.js'
import { printable } from '../content/printable.js'
import type { FileSet } from '../tar/file-set.js'
import { LayoutError } from './layout-error.js'

/** The file that says that a folder is a layout, and of which version (image-spec, Image Layout, oci-layout file). */
export const LAYOUT_FILE = 'oci-layout'
/** The file that names the images of a layout (image-spec, Image Layout, index.json file). */
export const INDEX_FILE = 'index.json'
/** What {@link LAYOUT_FILE} holds in the layouts that we write. */
export const LAYOUT_FILE_TEXT = '{"imageLayoutVersion":"1.0.0"}'
/** The most bytes of `index.json` that are read into memory (rule R228). */
export const INDEX_LIMIT_BYTES = 4 * 1024 * 1024
/** The most bytes of `oci-layout` that are read into memory. */
export const LAYOUT_LIMIT_BYTES = 64 * 1024

const VERSION = '1.0.0'

/** Where a blob is in a layout, relative to its root. Safe as a path, since a digest is (rules R204, R224). */
export function blobPath(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}

/**
 * Checks the content of an `oci-layout` file.
 *
 * @param label of the layout, for messages
 * @throws RegctlError `bad-json`, `bad-shape`, or `bad-layout` for a version that we don't know
 */
export function checkLayoutFile(bytes: Uint8Array, label: string): void {
  const version = parseJsonObject(bytes, `${LAYOUT_FILE} in ${label}`).imageLayoutVersion
  if (version === VERSION) return
  const found =
    typeof version === 'string'
      ? `the layout version "${printable(version.slice(0, 20))}"`
      : 'no layout version'
  throw new LayoutError(`${LAYOUT_FILE} in ${label} has ${found}, and only ${VERSION} is known`, {
    kind: 'corrupt',
    code: 'bad-layout',
  })
}

/** The error for a folder or archive without `oci-layout`. */
export function noLayoutFile(label: string): LayoutError {
  return new LayoutError(`${label} is no OCI layout: it has no ${LAYOUT_FILE} file`, {
    kind: 'corrupt',
    code: 'bad-layout',
  })
}

/** The error for a layout without `index.json`. */
export function noIndexFile(label: string): LayoutError {
  return new LayoutError(`the OCI layout ${label} has no ${INDEX_FILE}: it names no images`, {
    kind: 'corrupt',
    code: 'missing-index',
    hint: 'It may be the rest of a run that was interrupted; make it again',
  })
}

/**
 * Reads a small file of a set into memory.
 *
 * @returns undefined when it is not there
 * @throws LayoutError `too-large` when it has more than `limitBytes`; what {@link FileSet.read} throws
 */
export async function readSmallFile(
  files: FileSet,
  name: string,
  limitBytes: number,
): Promise<Uint8Array | undefined> {
  const entry = await files.stat(name)
  if (entry === undefined) return undefined
  if (entry.size > limitBytes) throw tooLarge(`${name} in ${files.label}`, limitBytes)
  return await files.read(name, 0, entry.size)
}

/** The error for something that is parsed in memory and larger than its cap. */
export function tooLarge(what: string, limitBytes: number): LayoutError {
  return new LayoutError(`${what} is larger than the ${limitBytes} bytes that are read of it`, {
    kind: 'corrupt',
    code: 'too-large',
  })
}
