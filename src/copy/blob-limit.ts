import type { Descriptor } from '../content/descriptor.js'
import type { Sink } from '../content/store.js'
import { WeightedLimit } from '../limit.js'

/** Up to this weight in bytes travels to one target at once; see {@link WeightedLimit}. */
const BYTES_IN_FLIGHT_PER_JOB = 32 * 1024 * 1024
/** Blobs up to 1 MiB count little, so that many of them can be on the way at once (rule R201). */
const SMALL_BLOBS_PER_JOB = 4

/** From this size on a registry of this machine has much to do with a blob. */
const LARGE_BYTES = 4 * 1024 * 1024

/** Bounds what travels to one sink at once. */
export class BlobLimit {
  readonly #sink: Pick<Sink, 'largeBlobsAtOnce'>
  readonly #jobs: number
  readonly #limit: WeightedLimit

  /** @param jobs how many large blobs travel at once; small ones up to four times as many */
  constructor(sink: Pick<Sink, 'largeBlobsAtOnce'>, jobs: number) {
    this.#sink = sink
    this.#jobs = jobs
    this.#limit = new WeightedLimit({
      count: jobs * SMALL_BLOBS_PER_JOB,
      weight: jobs * BYTES_IN_FLIGHT_PER_JOB,
    })
  }

  /** Transfers a blob as soon as there is room for it. */
  run<T>(descriptor: Descriptor, transfer: () => Promise<T>): Promise<T> {
    return this.#limit.run(this.#weightOf(descriptor), transfer)
  }

  #weightOf({ size }: Descriptor): number {
    const { largeBlobsAtOnce } = this.#sink
    const least = BYTES_IN_FLIGHT_PER_JOB / SMALL_BLOBS_PER_JOB
    // There is room left for a small one, so that it need not come after all of them.
    if (largeBlobsAtOnce !== undefined && size >= LARGE_BYTES)
      return (this.#jobs * BYTES_IN_FLIGHT_PER_JOB - least) / Math.min(largeBlobsAtOnce, this.#jobs)
    return Math.max(least, Math.min(size, BYTES_IN_FLIGHT_PER_JOB))
  }
}
