/**
 * Reads the Range by which a registry tells how much of an upload it has: `0-<last byte>` (distribution-spec, Pushing a blob
 * in chunks). Some write `bytes=` before it, some say `0-0` or `0--1` for nothing, and Quay is one too high (rule R48).
 * `0-0` could mean one byte: it is taken for none, and a registry that has one says so when the next chunk comes.
 *
 * @returns the number of bytes; undefined when the header is absent or malformed
 */
export function parseUploadRange(text: string | undefined): number | undefined {
  const last = /^(?:bytes=)?0-(-1|\d{1,15})$/.exec(text?.trim() ?? '')?.[1]
  if (last === undefined) return undefined
  return last === '0' ? 0 : Number(last) + 1
}

/**
 * How many bytes an upload has by its Range.
 *
 * @param limitBytes what it can have at most: one more is a registry that counts one too many, and more than that is another
 *   upload than ours (rules R48, R49)
 * @returns undefined when it is of no use
 */
export function uploadedBytes(text: string | undefined, limitBytes: number): number | undefined {
  const count = parseUploadRange(text)
  if (count === undefined || count > limitBytes + 1) return undefined
  return Math.min(count, limitBytes)
}

/**
 * Where to go on after a chunk that was accepted. Our own count is right unless the registry says at least two bytes fewer
 * (rule R49); some always answer `0-0`, which says nothing.
 *
 * @param end the offset behind the chunk
 * @returns undefined when the registry says that it has more than was sent
 */
export function offsetAfterChunk(text: string | undefined, end: number): number | undefined {
  const count = parseUploadRange(text)
  if (count === undefined || count === 0) return end
  if (count > end + 1) return undefined
  return count <= end - 2 ? count : end
}
