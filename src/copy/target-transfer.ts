import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'
import { isManifestType } from '../content/media-types.js'
import type { Context, RawManifest, Sink, Source } from '../content/store.js'
import { RegctlError } from '../errors.js'
import { BlobLimit } from './blob-limit.js'
import { blobsInPlace, findInPlace, findTags, refuseOtherTags } from './in-place.js'
import type { Plan } from './plan.js'
import { type AheadBlobs, transferBlob } from './transfer.js'

/** Where a transfer goes. */
interface TransferTarget {
  sink: Sink
  tags: readonly string[]
  ahead?: AheadBlobs | undefined
}

interface TransferOptions {
  jobs: number
  dryRun: boolean
  recheck: boolean
  noOverwrite: boolean
  commit: boolean
}

/** A plan whose layers are told while the targets are asked what they have. */
export interface ToldPlan extends Plan {
  /** Ends when they were told: people see them before what becomes of them. It rejects when a config can't be read. */
  readonly told: Promise<void>
}

/** What a transfer notes of what it did. */
interface TransferCount {
  copied: number
  mounted: number
  exists: number
  skipped: number
  bytes: number
  changed: boolean
}

/** The work for one target. */
export class TargetTransfer {
  readonly #blobs = new Map<Digest, Promise<void>>()
  readonly #limit: BlobLimit
  /** The manifests that are known to be in place. */
  #inPlace = new Set<Digest>()
  /** The first thing that went wrong, before the others were stopped because of it. */
  firstError: unknown
  private readonly context: Context
  /** Events that wait; undefined when none has to. */
  #held: CopyEvent[] | undefined

  constructor(
    private readonly target: TransferTarget,
    private readonly source: Source,
    private readonly outer: Context,
    private readonly options: TransferOptions,
    private readonly result: TransferCount,
  ) {
    this.context = { signal: outer.signal, emit: event => this.#emit(event) }
    this.#limit = new BlobLimit(target.sink, options.jobs)
  }

  /** Puts a blob in place, once however often it is asked for. */
  putBlob(descriptor: Descriptor): Promise<void> {
    const known = this.#blobs.get(descriptor.digest)
    if (known !== undefined) return known
    const isAhead = this.target.ahead?.has(descriptor.digest) === true
    const done = isAhead
      ? this.#transferBlob(descriptor)
      : this.#limit.run(descriptor, () => this.#transferBlob(descriptor))
    done.catch(error => {
      this.firstError ??= error
    })
    this.#blobs.set(descriptor.digest, done)
    return done
  }

  async finish(plan: ToldPlan): Promise<void> {
    const { sink } = this.target
    const { context, options } = this
    if (options.noOverwrite) await this.#refuseOverwriting(plan)
    // Blobs that were ready before the manifest are on their way already: then the root is surely new, or put again.
    const isEarly = this.#blobs.size > 0
    const standing = isEarly
      ? Promise.resolve(new Map<string, Digest>())
      : findTags(sink, this.#allTags(plan), context)
    // It may fail while the question below does (an interruption ends both), and nobody waits for it then.
    standing.catch(() => {})
    const passOver = new Set(isEarly ? [plan.root.descriptor.digest] : [])
    this.#inPlace = await findInPlace(sink, plan, passOver, context)
    await Promise.all([this.#holdEvents(plan.told), this.#putBlobs(plan)])
    const tagged = await standing
    // A registry may know by its tag what it doesn't tell by its digest.
    for (const digest of tagged.values()) if (plan.manifests.has(digest)) this.#inPlace.add(digest)
    await this.#putManifests(plan, tagged)
    if (!options.dryRun && options.commit) await sink.commit(context)
  }

  /** Signatures that cosign tagged are kept as well: those at the target may be more. */
  async #refuseOverwriting(plan: Plan): Promise<void> {
    const { sink, tags } = this.target
    await refuseOtherTags(sink, tags, plan.root.descriptor, this.context)
    for (const { manifest, tags } of plan.referrers.flat())
      await refuseOtherTags(sink, tags, manifest.descriptor, this.context)
  }

  #allTags(plan: Plan): string[] {
    return [...this.target.tags, ...plan.referrers.flat().flatMap(referrer => referrer.tags)]
  }

  async #putBlobs(plan: Plan): Promise<void> {
    const asksAlways = this.options.recheck || this.target.sink.asksFreely === true
    const known = asksAlways ? new Set<Digest>() : blobsInPlace(plan, this.#inPlace)
    for (const digest of this.target.ahead?.keys() ?? []) known.delete(digest)
    const asking = plan.blobs.filter(blob => !known.has(blob.digest))
    this.#emit({
      type: 'planned',
      target: this.target.sink.label,
      root: plan.root.descriptor,
      manifests: plan.manifests.size - this.#inPlace.size,
      blobs: asking.length,
      bytes: asking.reduce((sum, blob) => sum + blob.size, 0),
    })
    for (const descriptor of plan.foreign) this.#blobDone(descriptor, 'skipped')
    for (const blob of plan.blobs) {
      if (known.has(blob.digest) && !this.#blobs.has(blob.digest)) this.#blobDone(blob, 'exists')
    }
    // The largest takes longest, so that it must not be the last to begin.
    for (const blob of asking.sort((one, other) => other.size - one.size)) this.putBlob(blob)
    await Promise.all(this.#blobs.values())
  }

  /** The root gets its tags last: whoever sees them finds everything, its referrers included. */
  async #putManifests(plan: Plan, tagged: ReadonlyMap<string, Digest>): Promise<void> {
    for (const level of plan.levels.slice(0, -1)) {
      await Promise.all(level.map(manifest => this.#placeManifest(plan, manifest, [], tagged)))
    }
    // What refers to something is put after it, which not every registry asks for.
    if (plan.referrers.length > 0) await this.#sendManifest(plan, plan.root, [])
    for (const level of plan.referrers) {
      await Promise.all(level.map(({ manifest, tags }) => this.#placeManifest(plan, manifest, tags, tagged)))
    }
    for (const root of plan.levels.at(-1) ?? [])
      await this.#placeManifest(plan, root, this.target.tags, tagged)
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
    const ahead = this.target.ahead?.get(descriptor.digest)
    this.#blobDone(descriptor, await (ahead ?? transferBlob(this.source, sink, descriptor, context)))
  }

  #blobDone(descriptor: Descriptor, result: 'copied' | 'mounted' | 'exists' | 'skipped'): void {
    this.result[result]++
    if (result === 'copied') this.result.bytes += descriptor.size
    if (result === 'copied' || result === 'mounted') this.result.changed = true
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

  /** Puts a manifest, and those of its tags that stand for something else: some registries let no tag be put twice (rule R27). */
  async #placeManifest(
    plan: Plan,
    manifest: RawManifest,
    tags: readonly string[],
    tagged: ReadonlyMap<string, Digest>,
  ): Promise<void> {
    const { descriptor } = manifest
    const target = this.target.sink.label
    const missing = tags.filter(tag => tagged.get(tag) !== descriptor.digest)
    const exists = missing.length === 0 && this.#inPlace.has(descriptor.digest)
    if (!exists) await this.#sendManifest(plan, manifest, missing)
    this.#emit({ type: 'manifest-done', target, descriptor, tags, result: exists ? 'exists' : 'copied' })
  }

  async #sendManifest(plan: Plan, manifest: RawManifest, tags: readonly string[]): Promise<void> {
    const { sink } = this.target
    const { digest } = manifest.descriptor
    if (tags.length === 0 && this.#inPlace.has(digest)) return
    this.result.changed = true
    this.#inPlace.add(digest)
    if (this.options.dryRun) return
    try {
      await sink.putManifest(manifest, tags, this.context)
    } catch (error) {
      if (!(error instanceof RegctlError) || error.code !== 'missing-part') throw error
      await this.#sendMissingParts(plan, digest)
      await sink.putManifest(manifest, tags, this.context)
    }
  }

  /** What was in place is not any more, or was believed to be: it is looked for, and sent, once (rule R25). */
  async #sendMissingParts(plan: Plan, digest: Digest): Promise<void> {
    const { sink } = this.target
    const { context } = this
    for (const part of plan.manifests.get(digest)?.parts ?? []) {
      const child = isManifestType(part.mediaType) ? plan.manifests.get(part.digest) : undefined
      const isThere = child ? await sink.hasManifest(part.digest, context) : await sink.hasBlob(part, context)
      if (isThere) continue
      this.#emit({
        type: 'warning',
        message: `${sink.label} lacks ${part.digest} again: it is sent once more`,
      })
      this.#inPlace.delete(part.digest)
      if (child !== undefined) await this.#sendManifest(plan, child.raw, [])
      else {
        await transferBlob(this.source, sink, part, context)
        this.result.bytes += part.size
      }
    }
  }

  /** Blobs are on their way while the layers are still to be told. */
  async #holdEvents(told: Promise<void>): Promise<void> {
    const held: CopyEvent[] = []
    this.#held = held
    try {
      await told
    } finally {
      this.#held = undefined
      for (const event of held) this.#emit(event)
    }
  }

  #emit(event: CopyEvent): void {
    if (this.#held === undefined) this.outer.emit(event)
    else this.#held.push(event)
  }
}
