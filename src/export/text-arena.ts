import { words } from './column.js'

/** How much is taken from memory at once. */
const CHUNK_SIZE = 1024 * 1024

/**
 * Many short texts of one character for each byte (latin1), one after another in large buffers. As strings each would
 * take twice its size, and the garbage collector would look at it again and again.
 */
export class TextArena {
  readonly #chunks: Buffer[] = []
  /** Of each text: which chunk it is in, where it begins there, and how long it is. */
  readonly #chunkOf = words()
  readonly #starts = words()
  readonly #lengths = words()
  #filled = 0
  /** How many texts there are. */
  size = 0

  /** @returns by what number {@link get} gives the text again */
  add(text: string): number {
    let chunk = this.#chunks.at(-1)
    if (chunk === undefined || this.#filled + text.length > chunk.length) {
      chunk = Buffer.allocUnsafeSlow(Math.max(text.length, CHUNK_SIZE))
      this.#chunks.push(chunk)
      this.#filled = 0
    }
    chunk.write(text, this.#filled, 'latin1')
    this.#chunkOf.set(this.size, this.#chunks.length - 1)
    this.#starts.set(this.size, this.#filled)
    this.#lengths.set(this.size, text.length)
    this.#filled += text.length
    return this.size++
  }

  /** A text by its number; empty for a number that there isn't. */
  get(number: number): string {
    const start = this.#starts.get(number)
    const chunk = this.#chunks[this.#chunkOf.get(number)]
    return chunk?.toString('latin1', start, start + this.#lengths.get(number)) ?? ''
  }

  /** All texts, in the order in which they came. */
  *[Symbol.iterator](): Generator<string> {
    for (let number = 0; number < this.size; number++) yield this.get(number)
  }
}
