import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import type { Context, RawManifest, Sink, Source } from '../content/store.js'
import { digestMismatch } from '../content/verify.js'
import { InterruptedError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { EarlyBlobs } from './early-blobs.js'
import { layerItems } from './layer-items.js'
import { type Plan, planCopy } from './plan.js'
import { blobContent } from './transfer.js'

/** Where to copy to. */
export interface CopyTarget {
  sink: Sink
  /** The names that the root gets there. None is fine: it is then known by its digest. */
  tags: readonly string[]
  /**
   * Targets with the same group are served one after another, so that the later ones can take what the first one
   * has got (mount). Targets of different groups are served at once. Default: each target is a group of its own.
   */
  group?: string
}

/** What a copy takes besides its ends. */
export interface CopyOptions {
  /** How many blobs travel to one target at once. Default 4 large ones; small ones up to four times as many. */
  jobs?: number
  /** Only look: nothing is written, and `blob-done` and `manifest-done` say what would happen. Default false. */
  dryRun?: boolean
  /** Refuse another root than this one, before its manifest is put anywhere. Default: any. */
  expectDigest?: Digest | undefined
}

/** The options with their defaults. */
type CompleteOptions = Required<CopyOptions>

/** How a copy to one target ended. */
export interface TargetResult {
  label: string
  /** Undefined when everything is in place. */
  error: unknown
  /** What was (with `dryRun`: would be) done with the blobs, in numbers. `bytes` counts those that were copied. */
  copied: number
  mounted: number
  exists: number
  skipped: number
  bytes: number
}

/** How a copy ended. */
export interface CopyResult {
  /** The manifest or index that was copied; undefined when it could not be read. */
  root: Descriptor | undefined
  /** In the order of the targets. */
  targets: readonly TargetResult[]
}

/** Up to this weight in bytes travels to one target at once; see {@link WeightedLimit}. */
const BYTES_IN_FLIGHT_PER_JOB = 32 * 1024 * 1024
/** Blobs up to 1 MiB count little, so that many of them can be on the way at once (rule R201). */
const SMALL_BLOBS_PER_JOB = 4
const DEFAULT_JOBS = 4

/**
 * Copies a manifest, or an index with everything below it, to one or several targets, and never changes a byte. Blobs
 * go first, then manifests from the leaves to the root, then the tags. What is in place already is not sent.
 *
 * A target that fails does not stop the others: its error is in its result. Sinks are committed, but neither they nor
 * the source are disposed.
 *
 * @param root tag or digest, as the source knows it
 * @throws RegctlError when the source's manifests can't be read and nothing was begun
 * @example
 * const result = await copy(layout, 'latest', [{ sink: repository, tags: ['1.0'] }], context)
 */
export async function copy(
  source: Source,
  root: string,
  targets: readonly CopyTarget[],
  context: Context,
  options: CopyOptions = {},
): Promise<CopyResult> {
  const complete: CompleteOptions = {
    jobs: options.jobs ?? DEFAULT_JOBS,
    dryRun: options.dryRun ?? false,
    expectDigest: options.expectDigest,
  }
  const stop = new AbortController()
  const reading = stoppable(context, stop)
  const early = new EarlyBlobs(source, reading)
  const plan = makePlan(source, root, early, complete, reading)
  plan.catch(() => {})
  const results = new Map<CopyTarget, TargetResult>()
  await Promise.all(
    groupsOf(targets).map(async group => {
      for (const target of group)
        results.set(target, await copyTo(target, source, plan, early, context, complete))
    }),
  )
  // When every target has failed, there is nobody left to read for.
  stop.abort()
  const planned = await plan.catch(() => undefined)
  return {
    root: planned?.root.descriptor,
    targets: targets.map(target => results.get(target) as TargetResult),
  }
}

async function makePlan(
  source: Source,
  root: string,
  early: EarlyBlobs,
  { expectDigest }: CompleteOptions,
  context: Context,
): Promise<Plan> {
  early.start()
  const plan = await planCopy(source, root, context)
  const { digest } = plan.root.descriptor
  if (expectDigest !== undefined && digest !== expectDigest) {
    throw digestMismatch(`the image of ${source.label}`, expectDigest, digest)
  }
  // A source with early blobs has told its layers itself, before it began to make them.
  if (source.earlyBlobs === undefined) {
    for (const image of plan.images)
      context.emit({ type: 'layers', layers: await layerItems(source, image, context) })
  }
  return plan
}

/** A context that ends when the outer one does, or when it is stopped. */
function stoppable(outer: Context, stop: AbortController): Context {
  return createContext({
    signal: AbortSignal.any([outer.signal, stop.signal]),
    emit: event => outer.emit(event),
  })
}

function groupsOf(targets: readonly CopyTarget[]): CopyTarget[][] {
  const groups = new Map<unknown, CopyTarget[]>()
  for (const target of targets) {
    const key = target.group ?? target
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [target])
    else group.push(target)
  }
  return [...groups.values()]
}

async function copyTo(
  target: CopyTarget,
  source: Source,
  plan: Promise<Plan>,
  early: EarlyBlobs,
  outer: Context,
  options: CompleteOptions,
): Promise<TargetResult> {
  const result: TargetResult = {
    label: target.sink.label,
    error: undefined,
    copied: 0,
    mounted: 0,
    exists: 0,
    skipped: 0,
    bytes: 0,
  }
  // One failed blob stops the others of this target (rule R253); the other targets have controllers of their own.
  const stop = new AbortController()
  const context = stoppable(outer, stop)
  const transfer = new TargetTransfer(target, source, context, options, result)
  try {
    if (!options.dryRun) await early.offerTo(blob => transfer.putBlob(blob))
    await transfer.finish(await plan)
  } catch (error) {
    // What fails after the others were stopped fails because of it.
    result.error = outer.signal.aborted
      ? new InterruptedError(undefined, error)
      : (transfer.firstError ?? error)
    stop.abort(error)
    await transfer.settle()
  }
  return result
}

/** The work for one target. */
class TargetTransfer {
  readonly #blobs = new Map<Digest, Promise<void>>()
  readonly #limit: WeightedLimit
  /** The first thing that went wrong, before the others were stopped because of it. */
  firstError: unknown

  constructor(
    private readonly target: CopyTarget,
    private readonly source: Source,
    private readonly context: Context,
    private readonly options: CompleteOptions,
    private readonly result: TargetResult,
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
