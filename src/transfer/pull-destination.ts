import type { Writable } from 'node:stream'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context, Sink } from '../content/store.js'
import { LayoutArchiveSink } from '../layout/layout-archive-sink.js'
import type { FileFormat, LocalLocator } from '../open/location.js'
import { openImageSink } from '../open/open-sink.js'

/** Where the images of one pull go, each with the names of its own repository. */
export interface PullDestination extends AsyncDisposable {
  /** Appears as a whole, at commit, or not at all. Else each image is in place as soon as it is copied. */
  readonly isWhole: boolean
  /** Where images of a repository are put. Its commit leaves the destination open. Without a repository, tags are tags alone. */
  sinkFor(repository: string | undefined): Promise<Sink>
  /** Undefined for what is no archive, and when nothing is written. */
  readonly archive: LayoutArchiveSink | undefined
  /** Ends the writing, when every image is there. */
  commit(context: Context): Promise<void>
}

/** What {@link openPullDestination} takes besides the locator. */
export interface PullDestinationOptions {
  /** Written where the locator is `-`. */
  stdout: Writable
  format: FileFormat
  /** Nothing is written: the sinks only tell what is there, or would be by then. */
  dryRun: boolean
  /** As for `openSink`. */
  cacheFolder?: string | undefined
}

/**
 * Opens a destination for several images. Nothing is written before the first put.
 *
 * @throws as `openImageSink`
 */
export async function openPullDestination(
  locator: LocalLocator,
  { stdout, format, dryRun, cacheFolder }: PullDestinationOptions,
): Promise<PullDestination> {
  const open = (repository?: string) => openImageSink(locator, { stdout, format, repository, cacheFolder })
  const sink = await open()
  const archive = sink instanceof LayoutArchiveSink && !dryRun ? sink : undefined
  const planned = new Set<Digest>()
  return {
    isWhole: format !== 'oci',
    async sinkFor(repository) {
      if (dryRun) return new DryRunSink(sink, planned)
      if (sink instanceof LayoutArchiveSink) return await sink.imagesOf(repository)
      return format === 'oci' ? await open(repository) : sink
    },
    archive,
    async commit(context) {
      await archive?.commit(context)
    },
    [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose](),
  }
}

/** Takes nothing. What one image would bring is there for the next one. */
class DryRunSink implements Sink {
  readonly label: string
  readonly #base: Sink
  readonly #planned: Set<Digest>

  constructor(base: Sink, planned: Set<Digest>) {
    this.label = base.label
    this.#base = base
    this.#planned = planned
  }

  async hasManifest(digest: Digest, context: Context): Promise<boolean> {
    return await this.#base.hasManifest(digest, context)
  }

  async hasBlob(descriptor: Descriptor, context: Context): Promise<boolean> {
    const isPlanned = this.#planned.has(descriptor.digest)
    this.#planned.add(descriptor.digest)
    return isPlanned || (await this.#base.hasBlob(descriptor, context))
  }

  async putBlob(): Promise<'exists'> {
    return 'exists'
  }

  async putManifest(): Promise<void> {}

  async commit(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
