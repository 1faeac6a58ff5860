import { once } from 'node:events'
import type { Writable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'

/** What may be on its way at once; a link of 100 Mbit/s and 300 ms holds as much. */
const WINDOW_BYTES = 4 * 1024 * 1024

/** A link that takes its time: every chunk arrives a while after it was sent, and no faster than the link is. */
export class DelayLine {
  readonly #to: Writable
  readonly #delayMs: number
  readonly #bytesPerMs: number
  /** When the link has sent what it took. */
  #freeAt = 0
  #inFlight = 0
  #last: Promise<void> = Promise.resolve()

  constructor(to: Writable, options: { delayMs: number; bytesPerSecond: number | undefined }) {
    this.#to = to
    this.#delayMs = options.delayMs
    this.#bytesPerMs = (options.bytesPerSecond ?? Number.POSITIVE_INFINITY) / 1000
  }

  /** Takes a chunk; resolves when there is room for another. Rejects when the other side is gone. */
  async write(chunk: Buffer): Promise<void> {
    const now = performance.now()
    this.#freeAt = Math.max(this.#freeAt, now) + chunk.length / this.#bytesPerMs
    const sentAt = this.#freeAt
    this.#inFlight += chunk.length
    this.#last = this.#deliver(this.#last, chunk, sentAt + this.#delayMs)
    // Told to whoever waits for it next.
    this.#last.catch(() => {})
    if (this.#delayMs === 0 || this.#inFlight >= WINDOW_BYTES) await this.#last
    // What is not yet sent has its place with the sender.
    else await sleepUntil(sentAt)
  }

  /** Resolves when everything has arrived. */
  async flush(): Promise<void> {
    await this.#last
  }

  async #deliver(before: Promise<void>, chunk: Buffer, dueAt: number): Promise<void> {
    await before
    await sleepUntil(dueAt)
    if (this.#to.destroyed) throw new Error('the other side is gone')
    if (!this.#to.write(chunk)) await drained(this.#to)
    this.#inFlight -= chunk.length
  }
}

async function drained(stream: Writable): Promise<void> {
  const stop = new AbortController()
  const closed = once(stream, 'close', { signal: stop.signal }).then(() => {
    throw new Error('the other side is gone')
  })
  closed.catch(() => {})
  try {
    await Promise.race([once(stream, 'drain', { signal: stop.signal }), closed])
  } finally {
    stop.abort()
  }
}

async function sleepUntil(time: number): Promise<void> {
  const left = time - performance.now()
  if (left > 0) await sleep(left)
}
