import { monotonicMs } from '../monotonic-clock.js'
import { DownloadLine } from './download-line.js'
import type { ResponseBody } from './response-body.js'

/** When several connections are used for one blob, and how. Bytes and milliseconds. */
export interface ParallelSettings {
  /** What is asked for at once. */
  partBytes: number
  /** The most connections. */
  connections: number
  /** One connection is watched for so long before others are opened. */
  watchMs: number
  /** What is left must take so long at least, by what comes of all blobs together. */
  worthMs: number
  /** After so long it is looked whether more connections brought more. */
  stepMs: number
}

const MIB = 1024 * 1024
/** What waits in memory is lost when the run is killed: all of it is no more than one chunk of an upload, 16 MiB. */
const DEFAULTS: ParallelSettings = {
  partBytes: 2 * MIB,
  connections: 6,
  watchMs: 500,
  worthMs: 5000,
  stepMs: 300,
}
/** A smaller rest of a blob is left to one connection. */
export const PARALLEL_FROM_BYTES = 64 * MIB
/** More connections than before must bring so much more. */
const LEAST_RISE = 1.2
/** So many parts may wait for those before them while all connections go on. */
const PARTS_AHEAD = 2

/**
 * Asks for the bytes from an offset up to another one, which is not included.
 *
 * @param isLast nothing is asked otherwise if this fails, so that it is worth several attempts
 * @returns those bytes and no others; rejects when the registry does not give them
 */
export type OpenRange = (from: number, to: number, isLast: boolean) => Promise<ResponseBody>

/** Some bytes of the blob, which one request brings. */
interface Part {
  readonly start: number
  readonly end: number
  /** Where they lie. */
  readonly memory: Buffer
  /** The offset up to which bytes came. */
  received: number
  /** The offset up to which they were read. */
  read: number
  /** What brings it. */
  source: ResponseBody | undefined
  isBroken: boolean
  isLastTry: boolean
}

/**
 * Reads one large blob over several connections where one is slow, as on a long line or where a server gives each connection
 * so much and no more. It begins with the one that is open; when what is left would take that some time, further ones ask for
 * parts that follow (RFC 9110, Range Requests), more of them as long as that brings more. The bytes come in order. What waits
 * for its turn is in memory, within bounds.
 *
 * At the first part that is refused or breaks off no more are asked for, and what came is still read.
 */
export class ParallelDownload {
  readonly #open: OpenRange
  readonly #size: number
  readonly #settings: ParallelSettings
  readonly #line: DownloadLine
  /** In order; the first is being read. */
  readonly #parts: Part[] = []
  /** The memory of parts that were read. */
  readonly #spare: Buffer[] = []
  /** Where the next part begins. */
  #next = 0
  #wanted = 2
  #isGrowing = true
  #running = 0
  #received = 0
  #stepReceived = 0
  #stepBegan = 0
  #rate = 0
  #wake: () => void = () => {}
  #isClosed = false
  /** A part was refused or broke off: the rest is for one connection. */
  isNarrowed = false

  /** @param size of the whole blob, in bytes */
  constructor(
    open: OpenRange,
    size: number,
    settings: Partial<ParallelSettings> = {},
    line = DownloadLine.ofProcess,
  ) {
    this.#open = open
    this.#size = size
    this.#settings = { ...DEFAULTS, ...settings }
    this.#line = line
  }

  /**
   * The bytes from an offset on. Called once. After its end the rest is to be asked for where something is missing.
   *
   * @param first has the bytes from there on
   * @throws the error of `first` as long as it is alone
   */
  async *read(first: ResponseBody, from: number): AsyncGenerator<Buffer> {
    const chunks = first[Symbol.asyncIterator]()
    const began = monotonicMs()
    const receivedBefore = this.#line.receivedBytes
    let offset = from
    let waitedMs = 0
    for (;;) {
      const asked = monotonicMs()
      const { done, value } = await chunks.next()
      if (done === true) return
      const now = monotonicMs()
      waitedMs += now - asked
      offset += value.length
      yield value
      // Where the reader is slow, more connections are of no use; and other blobs have theirs.
      const isWatched = now - began >= this.#settings.watchMs && waitedMs >= (now - began) / 2
      const received = Math.max(this.#line.receivedBytes - receivedBefore, offset - from)
      const leftMs = ((this.#size - offset) * (now - began)) / received
      this.#rate = (offset - from) / (now - began)
      if (isWatched && leftMs >= this.#settings.worthMs) break
    }
    this.#next = offset
    this.#stepBegan = monotonicMs()
    const part = this.#addPart()
    part.source = first
    void this.#run(part, async () => await this.#fill(part, { [Symbol.asyncIterator]: () => chunks }, true))
    this.#startMore()
    yield* this.#deliver()
  }

  /** Ends every request. */
  close(): void {
    this.#isClosed = true
    for (const part of this.#parts.splice(0)) this.#drop(part)
  }

  async *#deliver(): AsyncGenerator<Buffer> {
    for (;;) {
      const [part] = this.#parts
      if (part === undefined) return
      if (part.read < part.received) {
        const chunk = part.memory.subarray(part.read - part.start, part.received - part.start)
        part.read = part.received
        yield chunk
      } else if (part.received === part.end) {
        this.#drop(part)
        this.#spare.push(part.memory)
        this.#parts.shift()
        this.#startMore()
      } else if (!part.isBroken) {
        await new Promise<void>(resolve => {
          this.#wake = resolve
        })
      } else if (part.isLastTry) return this.close()
      else {
        part.isLastTry = true
        part.isBroken = false
        this.#ask(part)
      }
    }
  }

  #startMore(): void {
    while (!this.isNarrowed && !this.#isClosed && this.#next < this.#size) {
      const isFull = this.#running >= this.#wanted || this.#parts.length >= this.#wanted + PARTS_AHEAD
      // Whoever has no part at all may have one, or nothing would go on.
      if (this.#parts.length > 0 && (isFull || !this.#line.hasRoom(this.#settings.partBytes))) return
      this.#ask(this.#addPart())
    }
  }

  #addPart(): Part {
    const { partBytes } = this.#settings
    const start = this.#next
    const end = Math.min(start + partBytes, this.#size)
    const memory = this.#spare.pop() ?? Buffer.allocUnsafeSlow(partBytes)
    const state = { source: undefined, isBroken: false, isLastTry: false }
    const part: Part = { start, end, memory, received: start, read: start, ...state }
    this.#line.hold(partBytes)
    this.#next = end
    this.#parts.push(part)
    return part
  }

  #drop(part: Part): void {
    this.#line.release(this.#settings.partBytes)
    if (part.received < part.end) part.source?.destroy()
  }

  #ask(part: Part): void {
    void this.#run(part, async () => {
      const source = await this.#open(part.received, part.end, part.isLastTry)
      part.source = source
      if (this.#isClosed) source.destroy()
      else await this.#fill(part, source, false)
    })
  }

  /** Never rejects. */
  async #run(part: Part, fill: () => Promise<void>): Promise<void> {
    this.#running++
    await fill().catch(() => {})
    this.#running--
    if (part.received < part.end) {
      part.isBroken = true
      this.isNarrowed = true
    }
    this.#startMore()
    this.#wake()
  }

  /** @param isEndless it goes on after the part */
  async #fill(part: Part, chunks: AsyncIterable<Buffer>, isEndless: boolean): Promise<void> {
    for await (const chunk of chunks) {
      const piece = chunk.subarray(0, part.end - part.received)
      // It waits longer than until the next one.
      piece.copy(part.memory, part.received - part.start)
      part.received += piece.length
      this.#received += piece.length
      this.#adapt()
      this.#wake()
      if (isEndless && part.received === part.end) break
    }
  }

  /** Wants more connections as long as they bring more. */
  #adapt(): void {
    const now = monotonicMs()
    const { stepMs, connections } = this.#settings
    if (!this.#isGrowing || now - this.#stepBegan < stepMs) return
    const rate = (this.#received - this.#stepReceived) / (now - this.#stepBegan)
    this.#isGrowing = rate >= this.#rate * LEAST_RISE && this.#wanted < connections
    if (!this.#isGrowing) return
    this.#wanted = Math.min(this.#wanted * 2, connections)
    this.#rate = rate
    this.#stepReceived = this.#received
    this.#stepBegan = now
    this.#startMore()
  }
}
