/** What a socket may give at once where much is to come. Half as much costs a download a tenth more CPU time. */
export const SLAB_BYTES = 1024 * 1024
/** As many are kept for later as a few downloads at once use. */
const KEPT_SLABS = 16

const kept: Buffer[] = []

/** Memory that a socket reads into, and readers read from before it is used again. */
export class Slab {
  readonly bytes: Buffer
  /** How far it was read into. */
  filled = 0
  /** Who needs it: the socket, and each part that was not read yet. */
  #holds = 1

  /** @param size in bytes; one of {@link SLAB_BYTES} is taken from those that are kept */
  constructor(size: number) {
    // Node's own pool would share the memory with others.
    this.bytes = (size === SLAB_BYTES ? kept.pop() : undefined) ?? Buffer.allocUnsafeSlow(size)
  }

  /** Whether bytes are a part of it. */
  holds(bytes: Buffer): boolean {
    return bytes.buffer === this.bytes.buffer
  }

  /** Whether nothing that was read into it is needed any more. */
  get isRead(): boolean {
    return this.#holds === 1
  }

  hold(): void {
    this.#holds++
  }

  /** Gives up one hold. @returns whether that was the last one: the memory is used for something else */
  release(): boolean {
    this.#holds--
    if (this.#holds > 0) return false
    if (this.bytes.length === SLAB_BYTES && kept.length < KEPT_SLABS) kept.push(this.bytes)
    return true
  }
}
