import type { IncomingHttpHeaders } from 'node:http'
import { HttpError } from './http-error.js'

/** The most that is read of status line and fields. Signed URLs in Location and Link are long (rule R203). */
export const HEAD_LIMIT_BYTES = 32 * 1024

/** The beginning of an answer: status line and fields (RFC 9112, section 2.1). */
export interface ResponseHead {
  /** HTTP/1.0 or 1.1. */
  readonly minorVersion: 0 | 1
  /** Three digits. */
  readonly status: number
  /** Names in lower case; several fields of one name as a list. Values have one character for each byte. */
  readonly headers: IncomingHttpHeaders
}

const END = '\r\n\r\n'
/** Every answer that we understand begins so; what does not is not waited for. */
const BEGINNING = 'HTTP/1.'
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: |$)/
/** RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Anything but HTAB, SP, visible ASCII and bytes beyond it (RFC 9110, section 5.5). */
const FORBIDDEN = /[^\t\x20-\x7e\x80-\xff]/

/** Gathers the bytes of a head until it is complete. */
export class HeadReader {
  #bytes: Buffer | undefined

  /**
   * Takes the next bytes.
   *
   * @returns undefined while more are needed; else the head, and how many of these bytes belong to it
   * @throws HttpError `HTTP_MALFORMED` as soon as it can't become a head any more, `HTTP_HEAD_TOO_LARGE`
   */
  add(bytes: Buffer): { head: ResponseHead; used: number } | undefined {
    const before = this.#bytes?.length ?? 0
    const start = bytes.subarray(0, HEAD_LIMIT_BYTES - before + END.length)
    const all = this.#bytes === undefined ? start : Buffer.concat([this.#bytes, start])
    const beginning = all.toString('latin1', 0, BEGINNING.length)
    if (!BEGINNING.startsWith(beginning)) throw malformed('it begins otherwise')
    const end = all.indexOf(END, Math.max(0, before - END.length), 'latin1')
    if (end > HEAD_LIMIT_BYTES || (end === -1 && all.length >= HEAD_LIMIT_BYTES + END.length)) {
      throw new HttpError('HTTP_HEAD_TOO_LARGE', `the head of the answer has over ${HEAD_LIMIT_BYTES} bytes`)
    }
    if (end === -1) {
      // The bytes that were given are not ours to keep.
      this.#bytes = Buffer.from(all)
      return undefined
    }
    this.#bytes = undefined
    return { head: parseResponseHead(all.toString('latin1', 0, end)), used: end + END.length - before }
  }
}

/**
 * Reads a head, strictly: no folded lines, no blanks around names, no control characters (RFC 9112, sections 4 and 5).
 *
 * @param text without the empty line at its end, one character for each byte
 * @throws HttpError `HTTP_MALFORMED`
 */
export function parseResponseHead(text: string): ResponseHead {
  const [statusLine = '', ...lines] = text.split('\r\n')
  const [, minor, status] = STATUS_LINE.exec(statusLine) ?? []
  if (status === undefined || FORBIDDEN.test(statusLine)) throw malformed('its status line is none')
  const headers = Object.create(null) as Record<string, string | string[]>
  for (const line of lines) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(colon, 0)).toLowerCase()
    if (!NAME.test(name) || FORBIDDEN.test(line)) throw malformed('a line is no field')
    const value = withoutBlanks(line, colon + 1)
    const present = headers[name]
    headers[name] = present === undefined ? value : [present, value].flat()
  }
  return { minorVersion: minor === '0' ? 0 : 1, status: Number(status), headers }
}

/** The rest of a line from an offset on without the blanks at both ends, in linear time. */
function withoutBlanks(line: string, from: number): string {
  const isBlank = (at: number) => line[at] === ' ' || line[at] === '\t'
  let start = from
  let end = line.length
  while (start < end && isBlank(start)) start++
  while (end > start && isBlank(end - 1)) end--
  return line.slice(start, end)
}

/** The head of a request, in the order in which it is sent. */
export interface RequestHead {
  readonly method: string
  /** Path and query; `HOST:PORT` of a CONNECT. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
}

/**
 * The bytes of a request's head, its empty line included (RFC 9112, section 3).
 *
 * @throws HttpError `HTTP_BAD_REQUEST` for a value that would end its line or otherwise means something else
 */
export function formatRequestHead({ method, target, headers }: RequestHead): Buffer {
  const isFine = NAME.test(method) && /^[\x21-\x7e]+$/.test(target)
  if (!isFine) throw new HttpError('HTTP_BAD_REQUEST', 'the request has a method or a target that is none')
  const names = Object.keys(headers).map(name => name.toLowerCase())
  // What stands there twice, in two spellings, means two things to two servers (rule R234).
  if (new Set(names).size < names.length)
    throw new HttpError('HTTP_BAD_REQUEST', 'the request has a field in two spellings')
  const lines = Object.entries(headers).map(([name, value]) => {
    if (NAME.test(name) && !FORBIDDEN.test(value)) return `${name}: ${value}`
    // The value may be a secret.
    throw new HttpError('HTTP_BAD_REQUEST', `the request has a field that is none: ${JSON.stringify(name)}`)
  })
  return Buffer.from([`${method} ${target} HTTP/1.1`, ...lines].join('\r\n') + END, 'latin1')
}

function malformed(what: string): HttpError {
  return new HttpError('HTTP_MALFORMED', `the answer is no HTTP: ${what}`)
}
