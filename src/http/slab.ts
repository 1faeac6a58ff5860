/** What a socket may give at once where much is to come. A third of it costs a download a tenth more CPU time. */
export const SLAB_BYTES = 3 * 1024 * 1024
/** So many are made at once: as many as a body uses. */
const SLABS_AT_ONCE = 2
/** The unit of WebAssembly's memory. */
const WASM_PAGE_BYTES = 64 * 1024

const kept: Buffer[] = []

/** Memory that a socket reads into, and readers read from before it is used again. */
export class Slab {
  readonly bytes: Buffer
  /** How far it was read into. */
  filled = 0
  /** Who needs it: the socket, and each part that was not read yet. */
  #holds = 1

  /** @param size in bytes. One of {@link SLAB_BYTES} begins where a page of the system's memory does */
  constructor(size: number) {
    // Node's own pool would share the memory with others.
    this.bytes = size === SLAB_BYTES ? (kept.pop() ?? makeSlabs()) : Buffer.allocUnsafeSlow(size)
  }

  /** Where bytes begin in it; undefined when they are no part of it. */
  placeOf({ buffer, byteOffset }: Buffer): number | undefined {
    const place = byteOffset - this.bytes.byteOffset
    return buffer === this.bytes.buffer && place >= 0 && place < this.bytes.length ? place : undefined
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
    if (this.bytes.length === SLAB_BYTES) kept.push(this.bytes)
    return true
  }
}

/**
 * Makes memory for several slabs and keeps it for them, but for the first. It is WebAssembly's, which alone is known to begin at
 * a page: so a disk takes what lies there past the system's cache, see `LargeFile`.
 */
function makeSlabs(): Buffer {
  try {
    const pages = (SLABS_AT_ONCE * SLAB_BYTES) / WASM_PAGE_BYTES
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
    for (let at = SLAB_BYTES; at < buffer.byteLength; at += SLAB_BYTES)
      kept.push(Buffer.from(buffer, at, SLAB_BYTES))
    return Buffer.from(buffer, 0, SLAB_BYTES)
  } catch {
    // It takes gigabytes of addresses, which some users are not given (`ulimit -v`).
    return Buffer.allocUnsafeSlow(SLAB_BYTES)
  }
}
