import { HttpError } from './http-error.js'
import { SLAB_BYTES, Slab } from './slab.js'

/** One is read into while the other one is read from. With more, more memory is made, and less of it is in the processor's cache. */
const SLABS = 2
/** Chunks of large bodies end at multiples of this, for a disk that takes them from where they are. */
const PAGE_BYTES = 64 * 1024
/** Where the length is not known, most bodies are small. */
const FIRST_SLAB_BYTES = 16 * 1024

/** What a body asks of its connection. */
export interface BodySource {
  /** There is room again. */
  resume(): void
  /** Nobody reads what is still to come. */
  abandon(): void
}

/** A part of a slab with bytes of the body. */
interface Part {
  readonly slab: Slab
  start: number
  end: number
}

/**
 * The body of an answer. The connection reads ahead into a few pieces of memory, which are used again and again: **a chunk is
 * valid until the next one is asked for**. Whoever keeps one copies it. It is read once; leaving the loop early, or
 * {@link destroy}, ends the connection unless everything has come already.
 *
 * Iterating throws HttpError, StallError, the system's error, or what the request's signal was aborted with; what came
 * before an error is given first.
 */
export class IncomingBody implements AsyncIterableIterator<Buffer> {
  readonly #source: BodySource
  /** How many bytes are still to come; undefined when that is not known. */
  #left: number | undefined
  #parts: Part[] = []
  /** The chunk that its reader has. */
  #given: Part | undefined
  /** What is being read into. */
  #slab: Slab | undefined
  /** How many slabs are in use. */
  #slabs = 0
  #end: { error?: unknown } | undefined
  #waiting:
    | { resolve(result: IteratorResult<Buffer, undefined>): void; reject(error: unknown): void }
    | undefined

  #waking: NodeJS.Immediate | undefined

  /** @param length in bytes; undefined when it is not known */
  constructor(source: BodySource, length: number | undefined) {
    this.#source = source
    this.#left = length
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Buffer, undefined>> {
    this.#release()
    const part = this.#take()
    if (part === undefined) return await this.#wait()
    this.#given = part
    return { done: false, value: part.slab.bytes.subarray(part.start, part.end) }
  }

  async return(): Promise<IteratorResult<Buffer, undefined>> {
    this.destroy()
    return { done: true, value: undefined }
  }

  /** Ends the reading. Whoever still waits for bytes is told by HttpError `HTTP_CLOSED`. */
  destroy(): void {
    if (this.#end === undefined) this.#source.abandon()
    this.fail(new HttpError('HTTP_CLOSED', 'the answer was not read to its end'))
    // Its reader may still be at work on a chunk, so that the memory goes the way of all garbage.
    this.#parts = []
    this.#given = undefined
  }

  /** For the connection: where the next bytes should go; undefined when there is no room. */
  landing(): Buffer | undefined {
    if (this.#slab?.isRead === true) this.#slab.filled = 0
    if (this.#slab === undefined || !this.#hasRoom(this.#slab)) {
      if (this.#slabs >= SLABS) return undefined
      this.#changeSlab()
    }
    return this.#slab?.bytes.subarray(this.#slab.filled)
  }

  /** For the connection: whether it must stop reading. */
  get isFull(): boolean {
    // TLS gives what it has decrypted also to who wants no more.
    if (this.#slabs > SLABS) return true
    return this.#slabs === SLABS && this.#slab?.isRead === false && !this.#hasRoom(this.#slab)
  }

  /** For the connection: bytes have come, framing included. They may have come to where they should, or elsewhere. */
  landed(bytes: Buffer): void {
    const place = this.#slab?.placeOf(bytes)
    if (this.#slab !== undefined && place !== undefined) this.#slab.filled = place + bytes.length
  }

  /** For the connection: some bytes of the body, which are copied when they came elsewhere. */
  add(bytes: Buffer): void {
    const place = this.#slab?.placeOf(bytes)
    if (this.#slab !== undefined && place !== undefined) this.#addPart(this.#slab, place, bytes.length)
    else for (let at = 0; at < bytes.length; ) at += this.#copy(bytes.subarray(at))
    if (this.#left !== undefined) this.#left -= bytes.length
    // Not at once: what else lies in the socket comes with it.
    if (this.#waiting !== undefined && this.#isReadable) this.#waking ??= setImmediate(() => this.#wake())
  }

  /** For the connection: everything has come. */
  end(): void {
    this.#finish({})
  }

  /** For the connection: no more will come. */
  fail(error: unknown): void {
    this.#finish({ error })
  }

  #finish(end: { error?: unknown }): void {
    this.#end ??= end
    if (this.#slab !== undefined) this.#letGo(this.#slab)
    this.#slab = undefined
    this.#wake()
  }

  #wake(): void {
    clearImmediate(this.#waking)
    this.#waking = undefined
    const waiting = this.#waiting
    this.#waiting = undefined
    if (waiting !== undefined) this.next().then(waiting.resolve, waiting.reject)
  }

  async #wait(): Promise<IteratorResult<Buffer, undefined>> {
    if (this.#end === undefined) {
      return await new Promise((resolve, reject) => {
        this.#waiting = { resolve, reject }
      })
    }
    if ('error' in this.#end) throw this.#end.error
    return { done: true, value: undefined }
  }

  /** How far the first part can be given: all of it when nothing will follow on it, else up to where a page ends. */
  get #readableEnd(): number {
    const [part] = this.#parts
    if (part === undefined) return 0
    const isWhole = this.#end !== undefined || this.#parts.length > 1 || part.slab.bytes.length < SLAB_BYTES
    return isWhole ? part.end : part.end - (part.end % PAGE_BYTES)
  }

  get #isReadable(): boolean {
    const [part] = this.#parts
    return part !== undefined && this.#readableEnd > part.start
  }

  /** What can be given of the first part. */
  #take(): Part | undefined {
    const [part] = this.#parts
    const end = this.#readableEnd
    if (part === undefined || end <= part.start) return undefined
    if (end === part.end) return this.#parts.shift()
    const taken = { ...part, end }
    part.start = end
    part.slab.hold()
    return taken
  }

  /** The chunk that was given is read. */
  #release(): void {
    const given = this.#given
    this.#given = undefined
    if (given === undefined) return
    const wasFull = this.isFull
    this.#letGo(given.slab)
    if (wasFull && !this.isFull && this.#end === undefined) this.#source.resume()
  }

  #letGo(slab: Slab): void {
    if (slab.release()) this.#slabs--
  }

  #hasRoom({ bytes, filled }: Slab): boolean {
    return bytes.length > filled
  }

  #changeSlab(): void {
    const isFirst = this.#slab === undefined
    if (this.#slab !== undefined) this.#letGo(this.#slab)
    const wanted = this.#left ?? (isFirst ? FIRST_SLAB_BYTES : SLAB_BYTES)
    // Whole ones are used again.
    this.#slab = new Slab(wanted > SLAB_BYTES / 2 ? SLAB_BYTES : Math.max(1, wanted))
    this.#slabs++
  }

  #copy(bytes: Buffer): number {
    if (this.#slab === undefined || this.#slab.filled === this.#slab.bytes.length) this.#changeSlab()
    const slab = this.#slab
    if (slab === undefined) return 0
    const start = slab.filled
    const count = bytes.copy(slab.bytes, start)
    slab.filled += count
    this.#addPart(slab, start, count)
    return count
  }

  /** Bytes that follow on others make one chunk with them. */
  #addPart(slab: Slab, start: number, count: number): void {
    const last = this.#parts.at(-1)
    if (last?.slab === slab && last.end === start) {
      last.end += count
      return
    }
    slab.hold()
    this.#parts.push({ slab, start, end: start + count })
  }
}
