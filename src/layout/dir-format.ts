import { type Digest, hexOf } from '../content/digest.js'
import { LayoutError } from './layout-error.js'

/*
 * The folders that skopeo and podman write as `dir:` hold one image: `version`, the root manifest as `manifest.json`, the
 * manifests of an index as `<hex>.manifest.json`, and each blob under its hex alone. They have no names for the image.
 */

/** The file that says that a folder has this format, and of which version. */
export const VERSION_FILE = 'version'
/** The exact bytes of the image's manifest or index. */
export const ROOT_FILE = 'manifest.json'
/** What {@link VERSION_FILE} holds in the folders that we write. */
export const VERSION_TEXT = 'Directory Transport Version: 1.1\n'
/** The most bytes of {@link VERSION_FILE} that are read. */
export const VERSION_LIMIT_BYTES = 1024

const VERSION = /^Directory Transport Version: 1\.\d+\s*$/

/** The file of a blob. Safe as a path, since a digest is (rule R204). */
export function blobFile(digest: Digest): string {
  return hexOf(digest)
}

/** The file of a manifest that is not the root. */
export function manifestFile(digest: Digest): string {
  return `${hexOf(digest)}.manifest.json`
}

/**
 * Checks the content of a `version` file.
 *
 * @throws LayoutError `bad-layout` when it is absent or of a version that we don't know
 */
export function checkVersion(bytes: Uint8Array | undefined, label: string): void {
  if (bytes !== undefined && VERSION.test(Buffer.from(bytes).toString('latin1'))) return
  const why =
    bytes === undefined ? `has no ${VERSION_FILE} file` : `has a ${VERSION_FILE} file of an unknown kind`
  throw new LayoutError(`${label} is no image in the dir format: it ${why}`, {
    kind: 'corrupt',
    code: 'bad-layout',
  })
}
