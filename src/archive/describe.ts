import { isZeroBlock, looksLikeTar } from '../tar/header.js'
import { ArchiveError } from './archive-error.js'

/** How many bytes {@link requireTar} looks at: one tar header. */
export const HEAD_LENGTH = 512

/**
 * Refuses what is no tar, saying what it is.
 *
 * @param head the first {@link HEAD_LENGTH} bytes, or all there are
 * @param compression what it was compressed with, for the message; undefined when it was not
 * @throws ArchiveError `not-an-image`
 */
export function requireTar(head: Uint8Array, label: string, compression: string | undefined): void {
  if (looksLikeTar(head)) return
  const found = describe(head)
  const what = compression === undefined ? found : `${compression} of ${found}`
  throw new ArchiveError(`${label} is not an image: it is ${what}`, {
    kind: 'corrupt',
    code: 'not-an-image',
    hint: 'An image is a file made by docker save, podman save, skopeo copy or buildx, or an OCI layout.',
  })
}

function describe(head: Uint8Array): string {
  if (head.length === 0) return 'an empty file'
  if (isZeroBlock(head)) return 'an empty tar, or nothing but zeros'
  const text = Buffer.from(head).toString('utf8')
  if (text.startsWith('PK')) return 'a zip file'
  if (isText(text)) return /^\s*[[{]/.test(text) ? 'a JSON text, not a tar' : 'a text, not a tar'
  return 'no tar, nor anything else that is known'
}

function isText(text: string): boolean {
  // The last character may have been cut in the middle.
  return !/[\0-\x08\x0e-\x1f\ufffd]/.test(text.replace(/\ufffd+$/, ''))
}
