const KIB = 1024
const MIB = 1024 * KIB
/**
 * How large the chunks are where a registry, or what is in front of it, does not take a blob in one piece (rules R55, R202).
 * The smallest always fits.
 */
const CHUNK_SIZES = [16, 8, 4, 1, 1 / 2, 1 / 4, 1 / 8, 1 / 16].map(size => size * MIB)
const SMALLEST_CHUNK = 64 * KIB
/** After so many chunks in a row that went well, larger ones are tried. */
const SUCCESSES_TO_GROW = 8
/** A size that failed so often is not tried again. */
const FAILURES_TO_STAY_BELOW = 2

/**
 * How much at once gets through to one registry: all of a blob, until something shows that this is too much. Shared by the
 * uploads of a run, so that not each has to find out.
 */
export class UploadLimit {
  #chunkBytes: number | undefined
  readonly #largest: number
  /** How often a request of a size failed, by size. */
  readonly #failures = new Map<number, number>()
  #successes = 0
  /** Each chunk is sent over a connection of its own: what limits seems to count the bytes of a connection. */
  freshConnections = false
  /** Nothing is sent in one piece, however small it is: somebody asked for chunks, or the registry refuses all else. */
  onlyChunks: boolean

  /** @param chunkBytes sends chunks of this size from the start */
  constructor(chunkBytes?: number) {
    this.#chunkBytes = chunkBytes
    this.onlyChunks = chunkBytes !== undefined
    this.#largest = chunkBytes ?? CHUNK_SIZES[0] ?? SMALLEST_CHUNK
  }

  /** The size of chunks; undefined while blobs are sent in one piece. */
  get chunkBytes(): number | undefined {
    return this.#chunkBytes
  }

  /**
   * The registry takes nothing in one piece (rule R56).
   *
   * @returns false when it was sent chunks already
   */
  wantChunks(): boolean {
    if (this.onlyChunks) return false
    this.onlyChunks = true
    this.#chunkBytes ??= this.#largest
    return true
  }

  /**
   * A request of this size was too large.
   *
   * @param isSure it was said so; else a connection broke, which may have other reasons
   * @param mostBytes makes the chunks no larger than this
   * @returns false when there is nothing smaller to try
   */
  refuse(bytes: number, isSure: boolean, mostBytes = bytes - 1): boolean {
    this.#successes = 0
    const failures = isSure ? FAILURES_TO_STAY_BELOW : (this.#failures.get(bytes) ?? 0) + 1
    this.#failures.set(bytes, failures)
    if (bytes <= SMALLEST_CHUNK) return false
    const present = this.#chunkBytes
    // Another upload may have found out meanwhile.
    if (present !== undefined && present < bytes && present <= mostBytes) return true
    this.#chunkBytes = CHUNK_SIZES.find(size => size <= mostBytes) ?? SMALLEST_CHUNK
    return this.#chunkBytes !== present
  }

  /** A chunk of this size got through. */
  succeed(bytes: number): void {
    if (this.#chunkBytes === undefined || bytes < this.#chunkBytes) return
    this.#successes++
    if (this.#successes < SUCCESSES_TO_GROW) return
    this.#successes = 0
    const larger = Math.min(2 * this.#chunkBytes, this.#largest)
    const failed = [...this.#failures].filter(([, times]) => times >= FAILURES_TO_STAY_BELOW)
    if (failed.every(([size]) => larger < size)) this.#chunkBytes = larger
  }
}

/** The {@link UploadLimit} of each registry, for the life of a client. */
export class UploadLimits {
  readonly #limits = new Map<string, UploadLimit>()
  readonly #chunkBytes: number | undefined

  /** @param chunkBytes sends chunks of this size from the start, to each registry */
  constructor(chunkBytes?: number) {
    this.#chunkBytes = chunkBytes
  }

  /** @param registry as in a reference: `docker.io`, `localhost:5000` */
  of(registry: string): UploadLimit {
    const known = this.#limits.get(registry) ?? new UploadLimit(this.#chunkBytes)
    this.#limits.set(registry, known)
    return known
  }
}
