import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import type { Context, RawManifest, Sink, Source } from '../content/store.js'
import { WeightedLimit } from '../limit.js'
import type { Plan } from './plan.js'
import { blobContent } from './transfer.js'

/** Up to this weight in bytes travels to one target at once; see {@link WeightedLimit}. */
const BYTES_IN_FLIGHT_PER_JOB = 32 * 1024 * 1024
/** Blobs up to 1 MiB count little, so that many of them can be on the way at once (rule R201). */
const SMALL_BLOBS_PER_JOB = 4

/** Where a transfer goes. */
interface TransferTarget {
  sink: Sink
  tags: readonly string[]
}

interface TransferOptions {
  jobs: number
  dryRun: boolean
}

/** The numbers that a transfer counts up. */
interface TransferCount {
  copied: number
  mounted: number
  exists: number
  skipped: number
  bytes: number
}

/** The work for one target. */
export class TargetTransfer {
  readonly #blobs = new Map<Digest, Promise<void>>()
  readonly #limit: WeightedLimit
  /** The first thing that went wrong, before the others were stopped because of it. */
  firstError: unknown

  constructor(
    private readonly target: TransferTarget,
    private readonly source: Source,
    private readonly context: Context,
    private readonly options: TransferOptions,
    private readonly result: TransferCount,
  ) {
    this.#limit = new WeightedLimit({
      count: options.jobs * SMALL_BLOBS_PER_JOB,
      weight: options.jobs * BYTES_IN_FLIGHT_PER_JOB,
    })
  }

  /** Puts a blob in place, once however often it is asked for. */
  putBlob(descriptor: Descriptor): Promise<void> {
    const known = this.#blobs.get(descriptor.digest)
    if (known !== undefined) return known
    const weight = Math.max(
      BYTES_IN_FLIGHT_PER_JOB / SMALL_BLOBS_PER_JOB,
      Math.min(descriptor.size, BYTES_IN_FLIGHT_PER_JOB),
    )
    const done = this.#limit.run(weight, () => this.#transferBlob(descriptor))
    done.catch(error => {
      this.firstError ??= error
    })
    this.#blobs.set(descriptor.digest, done)
    return done
  }

  async finish(plan: Plan): Promise<void> {
    const { sink, tags } = this.target
    const sending = plan.blobs.filter(blob => !this.#blobs.has(blob.digest))
    this.#emit({
      type: 'planned',
      target: sink.label,
      root: plan.root.descriptor,
      manifests: plan.levels.reduce((sum, level) => sum + level.length, 0),
      blobs: plan.blobs.length,
      bytes: plan.blobs.reduce((sum, blob) => sum + blob.size, 0),
    })
    for (const descriptor of plan.foreign) this.#blobDone(descriptor, 'skipped')
    for (const blob of sending) this.putBlob(blob)
    await Promise.all(this.#blobs.values())
    for (const level of plan.levels.slice(0, -1))
      await Promise.all(level.map(manifest => this.#putManifest(manifest, [])))
    for (const root of plan.levels.at(-1) ?? []) await this.#putManifest(root, tags, true)
    if (!this.options.dryRun) await sink.commit(this.context)
  }

  /** Waits until nothing is on the way any more. Errors have been noted. */
  async settle(): Promise<void> {
    await Promise.allSettled(this.#blobs.values())
  }

  async #transferBlob(descriptor: Descriptor): Promise<void> {
    const { sink } = this.target
    const { context } = this
    context.signal.throwIfAborted()
    if (this.options.dryRun) {
      this.#blobDone(descriptor, (await sink.hasBlob(descriptor, context)) ? 'exists' : 'copied')
      return
    }
    this.#emit({ type: 'blob-started', target: sink.label, descriptor })
    this.#blobDone(
      descriptor,
      await sink.putBlob(blobContent(this.source, descriptor, sink.label, context), context),
    )
  }

  #blobDone(descriptor: Descriptor, result: 'copied' | 'mounted' | 'exists' | 'skipped'): void {
    this.result[result]++
    if (result === 'copied') this.result.bytes += descriptor.size
    const { sink } = this.target
    const from = result === 'mounted' ? sink.mountedFrom?.(descriptor.digest) : undefined
    this.#emit({
      type: 'blob-done',
      target: sink.label,
      descriptor,
      result,
      ...(from !== undefined && { from }),
    })
  }

  async #putManifest(manifest: RawManifest, tags: readonly string[], isRoot = false): Promise<void> {
    const { sink } = this.target
    const exists =
      (!isRoot || this.options.dryRun) && (await sink.hasManifest(manifest.descriptor.digest, this.context))
    if (!exists && !this.options.dryRun) await sink.putManifest(manifest, tags, this.context)
    const result = exists ? 'exists' : 'copied'
    this.#emit({ type: 'manifest-done', target: sink.label, descriptor: manifest.descriptor, tags, result })
  }

  #emit(event: CopyEvent): void {
    this.context.emit(event)
  }
}
