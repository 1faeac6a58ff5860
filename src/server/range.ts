/** Some bytes of a whole, both ends included. */
export interface ByteRange {
  first: number
  last: number
}

/**
 * Reads a `Range` header with one range (RFC 9110, section 14.1.2): `bytes=0-99`, `bytes=100-`, `bytes=-100`.
 * An end beyond the whole is cut (distribution-spec, Pulling blobs).
 *
 * @returns undefined for no header, several ranges, and units other than bytes: the whole is to be sent then;
 * `unsatisfiable` when no byte is in the range
 */
export function parseRange(
  header: string | undefined,
  size: number,
): ByteRange | 'unsatisfiable' | undefined {
  const match = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '')
  if (match === null || (match[1] === '' && match[2] === '')) return undefined
  const [, from = '', to = ''] = match
  if (from === '') {
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  const last = to === '' ? size - 1 : Math.min(Number(to), size - 1)
  if (first >= size || last < first) return 'unsatisfiable'
  return { first, last }
}

/**
 * Reads the `Content-Range` of an uploaded chunk: `<first>-<last>` without unit or total (rule R47). The form with
 * `bytes ` and a total is taken too, since some clients send it.
 *
 * @returns `malformed` for anything else; undefined when there is no header
 */
export function parseContentRange(header: string | undefined): ByteRange | 'malformed' | undefined {
  if (header === undefined) return undefined
  const match = /^(?:bytes[ =])?(\d+)-(\d+)(?:\/(?:\d+|\*))?$/.exec(header.trim())
  if (match === null) return 'malformed'
  const range = { first: Number(match[1]), last: Number(match[2]) }
  return range.last < range.first || !Number.isSafeInteger(range.last) ? 'malformed' : range
}
