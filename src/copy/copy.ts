import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, Sink, Source } from '../content/store.js'
import { digestMismatch } from '../content/verify.js'
import { InterruptedError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { EarlyBlobs } from './early-blobs.js'
import { layerItems } from './layer-items.js'
import { type Plan, planCopy } from './plan.js'
import { TargetTransfer, type ToldPlan } from './target-transfer.js'
import type { AheadBlobs } from './transfer.js'

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
  /** What is on its way there already: it is waited for, and counts as if it were sent now. Default: nothing. */
  ahead?: AheadBlobs | undefined
}

/** What a copy takes besides its ends. */
export interface CopyOptions {
  /** How many blobs travel to one target at once. Default 4 large ones; small ones up to four times as many. */
  jobs?: number
  /** Only look: nothing is written, and `blob-done` and `manifest-done` say what would happen. Default false. */
  dryRun?: boolean
  /** Refuse another root than this one, before its manifest is put anywhere. Default: any. */
  expectDigest?: Digest | undefined
  /**
   * Copy what refers to the root and to each manifest below it as well: signatures, SBOMs and attestations, whether they
   * are found by their subject or by cosign's tags. Default false.
   */
  referrers?: boolean
  /** Look for each blob although the manifest that names it is in place: repairs a damaged target. Default false. */
  recheck?: boolean
  /** Refuse a target at which one of the tags stands for another digest, before anything is sent there. Default false. */
  noOverwrite?: boolean
  /** Whether sinks are committed at the end. False for several copies into the same ones. Default true. */
  commit?: boolean
  /** Whether the layers of each image are told, for which its config is read. Default true. */
  tellLayers?: boolean
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
  /** Whether anything was (with `dryRun`: would be) written; false when everything was in place. */
  changed: boolean
}

/** How a copy ended. */
export interface CopyResult {
  /** The manifest or index that was copied; undefined when it could not be read. */
  root: Descriptor | undefined
  /** How many referrers came with it. */
  referrers: number
  /** In the order of the targets. */
  targets: readonly TargetResult[]
}

/** How many large blobs travel at once where nobody says how many. */
export const DEFAULT_JOBS = 4
/** Configs are small: those of several images are read at once. */
const CONFIGS_AT_ONCE = 8

/**
 * Copies a manifest, or an index with everything below it, to one or several targets, and never changes a byte. Blobs
 * go first, then manifests from the leaves to the root, then the tags. What is in place already is not sent.
 *
 * A target that fails does not stop the others: its error is in its result, and so is, for each of them, that of a source
 * that can't be read. Nothing is thrown. Sinks are committed, but neither they nor
 * the source are disposed.
 *
 * @param root tag or digest, as the source knows it
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
    referrers: options.referrers ?? false,
    recheck: options.recheck ?? false,
    noOverwrite: options.noOverwrite ?? false,
    commit: options.commit ?? true,
    tellLayers: options.tellLayers ?? true,
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
    referrers: countReferrers(planned),
    targets: targets.map(target => results.get(target) as TargetResult),
  }
}

function countReferrers(plan: Plan | undefined): number {
  const listed = plan?.referrers
    .flat()
    .filter(({ tags, subject }) => tags.length > 0 || subject !== undefined)
  return new Set(listed?.map(({ manifest }) => manifest.descriptor.digest)).size
}

async function makePlan(
  source: Source,
  root: string,
  early: EarlyBlobs,
  { expectDigest, referrers, tellLayers }: CompleteOptions,
  context: Context,
): Promise<ToldPlan> {
  early.start()
  const plan = await planCopy(source, root, context, { referrers })
  const { digest } = plan.root.descriptor
  if (expectDigest !== undefined && digest !== expectDigest) {
    throw digestMismatch(`the image of ${source.label}`, expectDigest, digest)
  }
  // A source with early blobs has told its layers itself, before it began to make them.
  const isTelling = source.earlyBlobs === undefined && tellLayers
  const told = isTelling ? tellAllLayers(source, plan, context) : Promise.resolve()
  // It may fail while the targets are still asked what they have.
  told.catch(() => {})
  return { ...plan, told }
}

async function tellAllLayers(source: Source, { images }: Plan, context: Context): Promise<void> {
  const limit = new WeightedLimit({ count: CONFIGS_AT_ONCE })
  const found = await Promise.all(images.map(image => limit.run(1, () => layerItems(source, image, context))))
  for (const layers of found) context.emit({ type: 'layers', layers })
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
  plan: Promise<ToldPlan>,
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
    changed: false,
  }
  // One failed blob stops the others of this target (rule R253); the other targets have controllers of their own.
  const stop = new AbortController()
  const context = stoppable(outer, stop)
  const transfer = new TargetTransfer(target, source, context, options, result)
  try {
    // A tag that must not be overwritten has to be known before the first byte is sent, and so has the root.
    const mayStart = !options.dryRun && !options.noOverwrite
    if (mayStart) await early.offerTo(blob => transfer.putBlob(blob))
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
