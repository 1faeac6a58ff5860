import { HEAD_LIMIT_BYTES, type ResponseHead } from './head.js'
import { HttpError } from './http-error.js'

/** Finds the bytes of a body in what comes after the head (RFC 9112, section 6). */
export interface Framing {
  /**
   * Takes bytes from an offset on.
   *
   * @param told is given the parts of them that are the body's
   * @returns the offset after what belongs to this answer
   * @throws HttpError `HTTP_MALFORMED`
   */
  add(bytes: Buffer, from: number, told: (data: Buffer) => void): number
  /** Whether the body has come to its end. */
  readonly isComplete: boolean
  /** Whether the end of the connection is its end. */
  readonly endsWithConnection: boolean
  /** How many bytes it has; undefined when that is not known. */
  readonly length: number | undefined
}

/**
 * How the body of an answer is framed (RFC 9112, section 6.3). What could be read in two ways is refused: a length that is
 * given twice or beside a transfer coding, and any transfer coding but `chunked`.
 *
 * @throws HttpError `HTTP_MALFORMED`
 */
export function framingOf(method: string, { status, minorVersion, headers }: ResponseHead): Framing {
  const coding = headers['transfer-encoding'] as string | string[] | undefined
  const length = lengthOf(headers['content-length'] as string | string[] | undefined)
  if (coding !== undefined) {
    const isChunked = typeof coding === 'string' && /^chunked$/i.test(coding)
    if (!isChunked || length !== undefined || minorVersion === 0) throw malformed('its framing is not clear')
  }
  if (method === 'HEAD' || status === 204 || status === 304) return new LengthFraming(0)
  if (coding !== undefined) return new ChunkedFraming()
  return length === undefined ? new OpenFraming() : new LengthFraming(length)
}

function lengthOf(text: string | string[] | undefined): number | undefined {
  if (text === undefined) return undefined
  const length = typeof text === 'string' && /^\d+$/.test(text) ? Number(text) : Number.NaN
  if (!Number.isSafeInteger(length)) throw malformed('its Content-Length is none')
  return length
}

class LengthFraming implements Framing {
  readonly endsWithConnection = false
  #left: number

  constructor(readonly length: number) {
    this.#left = length
  }

  get isComplete(): boolean {
    return this.#left === 0
  }

  add(bytes: Buffer, from: number, told: (data: Buffer) => void): number {
    const data = bytes.subarray(from, from + this.#left)
    this.#left -= data.length
    if (data.length > 0) told(data)
    return from + data.length
  }
}

/** A body that ends with the connection. */
class OpenFraming implements Framing {
  readonly endsWithConnection = true
  readonly isComplete = false
  readonly length = undefined

  add(bytes: Buffer, from: number, told: (data: Buffer) => void): number {
    if (from < bytes.length) told(bytes.subarray(from))
    return bytes.length
  }
}

/** A chunk's size, and extensions that mean nothing to us. 13 digits are as many as a number holds exactly. */
const CHUNK_LINE = /^([0-9a-f]{1,13})(?:[\t ]*;[\t\x20-\x7e\x80-\xff]*)?$/i
/** The most that is read of a line with a chunk's size. */
const CHUNK_LINE_LIMIT_BYTES = 4 * 1024

/** A body in chunks (RFC 9112, section 7.1). What comes as trailer is passed over. */
class ChunkedFraming implements Framing {
  readonly endsWithConnection = false
  readonly length = undefined
  #state: 'size' | 'data' | 'end-of-data' | 'trailer' | 'complete' = 'size'
  /** Of the chunk that is being read, in bytes. */
  #left = 0
  #line = ''
  #trailerBytes = 0

  get isComplete(): boolean {
    return this.#state === 'complete'
  }

  add(bytes: Buffer, from: number, told: (data: Buffer) => void): number {
    let at = from
    while (at < bytes.length && this.#state !== 'complete') {
      if (this.#state === 'data') {
        const data = bytes.subarray(at, at + this.#left)
        at += data.length
        this.#left -= data.length
        if (this.#left === 0) this.#state = 'end-of-data'
        told(data)
      } else {
        const end = bytes.indexOf(10, at)
        const stop = end === -1 ? bytes.length : end + 1
        this.#gather(bytes.toString('latin1', at, Math.min(stop, at + HEAD_LIMIT_BYTES)))
        at = stop
        if (end !== -1) this.#take(this.#completeLine())
      }
    }
    return at
  }

  #gather(text: string): void {
    this.#line += text
    const limit = this.#state === 'trailer' ? HEAD_LIMIT_BYTES - this.#trailerBytes : CHUNK_LINE_LIMIT_BYTES
    if (this.#line.length > limit) throw malformed('a line between its chunks is too long')
  }

  #completeLine(): string {
    const line = this.#line
    this.#line = ''
    if (!line.endsWith('\r\n')) throw malformed('a line between its chunks has no end')
    return line.slice(0, -2)
  }

  #take(line: string): void {
    if (this.#state === 'size') {
      const [, digits] = CHUNK_LINE.exec(line) ?? []
      if (digits === undefined) throw malformed('the size of a chunk is none')
      this.#left = Number.parseInt(digits, 16)
      this.#state = this.#left === 0 ? 'trailer' : 'data'
    } else if (this.#state === 'end-of-data') {
      if (line !== '') throw malformed('a chunk is longer than its size')
      this.#state = 'size'
    } else {
      this.#trailerBytes += line.length + 2
      if (line === '') this.#state = 'complete'
    }
  }
}

function malformed(what: string): HttpError {
  return new HttpError('HTTP_MALFORMED', `the answer is malformed: ${what}`)
}
