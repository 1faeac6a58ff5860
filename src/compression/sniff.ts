/** How bytes are compressed. `none` is anything that is not recognised. */
export type Compression = 'none' | 'gzip' | 'zstd' | 'bzip2' | 'xz' | 'lz4' | 'lzma'

/** How many bytes {@link sniffCompression} looks at. */
export const SNIFF_LENGTH = 13

/**
 * Tells a compression by its first bytes, never by a name or a media type, since those lie (rule R173).
 *
 * @param head the first {@link SNIFF_LENGTH} bytes, or all there are
 */
export function sniffCompression(head: Uint8Array): Compression {
  if (startsWith(head, [0x1f, 0x8b])) return 'gzip'
  if (startsWith(head, [0x28, 0xb5, 0x2f, 0xfd])) return 'zstd'
  if (((head[0] ?? 0) & 0xf0) === 0x50 && startsWith(head.subarray(1), [0x2a, 0x4d, 0x18])) return 'zstd'
  if (startsWith(head, [0x42, 0x5a, 0x68]) && isBetween(head[3], 0x31, 0x39)) return 'bzip2'
  if (startsWith(head, [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00])) return 'xz'
  if (startsWith(head, [0x04, 0x22, 0x4d, 0x18])) return 'lz4'
  if (isLzma(head)) return 'lzma'
  return 'none'
}

/**
 * The old `.lzma` format has no magic: a byte of parameters, nearly always 0x5d, the dictionary size (a power of two,
 * so low bytes of zero), and the size, which is unknown (all ones) or below 2^40.
 */
function isLzma(head: Uint8Array): boolean {
  if (!startsWith(head, [0x5d, 0x00, 0x00]) || head.length < SNIFF_LENGTH) return false
  const sizeHigh = head.subarray(10, 13)
  return sizeHigh.every(byte => byte === 0xff) || sizeHigh.every(byte => byte === 0)
}

function startsWith(bytes: Uint8Array, magic: readonly number[]): boolean {
  return bytes.length >= magic.length && magic.every((byte, index) => bytes[index] === byte)
}

function isBetween(byte: number | undefined, low: number, high: number): boolean {
  return byte !== undefined && byte >= low && byte <= high
}
