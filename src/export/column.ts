type Numbers = Uint8Array | Uint32Array | Float64Array

/** Numbers by position, in as many bytes each as their type has. What was never set is 0. */
export class Column {
  #values: Numbers
  readonly #make: (length: number) => Numbers

  /** @param make an array of that many zeros, which decides what numbers there can be */
  constructor(make: (length: number) => Numbers) {
    this.#make = make
    this.#values = make(64)
  }

  get(position: number): number {
    return this.#values[position] ?? 0
  }

  set(position: number, value: number): void {
    if (position >= this.#values.length) {
      // Growing by a half wastes less than doubling, and is still rare.
      const grown = this.#make(Math.max(position + 1, Math.ceil(this.#values.length * 1.5)))
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[position] = value
  }
}

/** A column of numbers up to 255. */
export const bytes = () => new Column(length => new Uint8Array(length))
/** A column of whole numbers below 2^32. */
export const words = () => new Column(length => new Uint32Array(length))
/** A column of any numbers. */
export const doubles = () => new Column(length => new Float64Array(length))
