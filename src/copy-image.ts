import type { Readable, Writable } from 'node:stream'
import { type ImageName, nameOfSource } from './archive-names.js'
import type { Descriptor, Platform } from './content/descriptor.js'
import type { Digest } from './content/digest.js'
import { isIndexType } from './content/media-types.js'
import { hostPlatform } from './content/platform.js'
import type { Context } from './content/store.js'
import { type CopyOptions, copy, type TargetResult } from './copy/copy.js'
import { CopyError } from './copy/copy-error.js'
import { platformRoot } from './copy/platform-root.js'
import { type PlatformSubset, platformSubset } from './copy/platform-subset.js'
import { presentRoot } from './copy/present-root.js'
import { checkDestinations, type Destination, openDestinations } from './copy-destinations.js'
import type { FileFormat, Locator } from './location.js'
import { type OpenedSource, openSource } from './open-source.js'
import type { RegistryClient } from './registry/client.js'

/** What {@link ImageCopy} takes besides its ends. */
export interface ImageCopyOptions extends CopyOptions {
  client: RegistryClient
  /** Read where the source is `-`. */
  stdin: Readable
  /** Written where a destination is `-`. */
  stdout: Writable
  /** Picks an image of a file that holds several; see `selectImage`. */
  image?: string | undefined
  /** One: that image of an index. Several: an index of just these (see {@link platformSubset}). Default: everything. */
  platforms?: readonly Platform[] | undefined
  /** What is written to a path whose locator doesn't state it. */
  format?: FileFormat | undefined
  /** Refuse a `name:tag@digest` whose tag has moved since. */
  checkTag?: boolean | undefined
  /** Refuse an index of which the source lacks a part, instead of leaving it out. */
  strict?: boolean | undefined
}

/** How the copy to one destination ended. */
export interface ImageCopyResult extends TargetResult {
  /** `host/repository`, or the path. */
  place: string
  tags: readonly string[]
  /** What was copied; undefined when it could not be read. */
  root: Descriptor | undefined
  /** The index that the copied one is a part of, when it was made for this copy. */
  madeFrom: Digest | undefined
  /** How many referrers came with it. */
  referrers: number
}

/**
 * A copy of one image from any place to any others. It is opened first, so that whoever shows it knows the destinations
 * before anything happens. Disposing closes both ends, and removes what a copy that failed has begun to write.
 *
 * @example
 * await using copying = await ImageCopy.open(from, [to], context, { client, stdin, stdout })
 * const [result] = await copying.run()
 */
export class ImageCopy implements AsyncDisposable {
  /** Names of one repository together, in the order in which they were named. */
  readonly destinations: readonly Destination[]
  readonly #isRemote: boolean
  readonly #source: OpenedSource
  readonly #context: Context
  readonly #options: ImageCopyOptions

  private constructor(
    isRemote: boolean,
    source: OpenedSource,
    destinations: readonly Destination[],
    context: Context,
    options: ImageCopyOptions,
  ) {
    this.destinations = destinations
    this.#isRemote = isRemote
    this.#source = source
    this.#context = context
    this.#options = options
  }

  /**
   * Opens the source and the destinations. A destination that can't be opened fails by itself, in the result.
   *
   * @throws RegctlError when the source is not there or is no image, and when what is asked for makes no sense
   */
  static async open(
    from: Locator,
    to: readonly Locator[],
    context: Context,
    options: ImageCopyOptions,
  ): Promise<ImageCopy> {
    const expectDigest = await checkDestinations(to, options)
    const { client, stdin, image, checkTag } = options
    const source = await openSource(from, context, { client, stdin, image, checkTag })
    const name: ImageName = nameOfSource(from, source.names, source.tags)
    const destinations = await openDestinations(to, name, options)
    return new ImageCopy(from.kind === 'registry', source, destinations, context, {
      ...options,
      expectDigest,
    })
  }

  /**
   * Copies. A destination that fails does not stop the others: its error is in its result.
   *
   * @throws CopyError when the platforms are not there; what the source throws when it has to be read to find them
   */
  async run(): Promise<ImageCopyResult[]> {
    const whole = await this.#chooseRoot()
    const results = new Map<Destination, ImageCopyResult>()
    for (const isSingle of [false, true]) {
      const destinations = this.destinations.filter(destination => destination.isSingle === isSingle)
      if (destinations.length === 0) continue
      const root = isSingle ? await this.#chooseSingle(whole) : whole
      await this.#copyTo(destinations, root, results)
    }
    return this.destinations.map(destination => results.get(destination) as ImageCopyResult)
  }

  async #copyTo(
    destinations: readonly Destination[],
    { source, root, made }: PlatformSubset,
    results: Map<Destination, ImageCopyResult>,
  ): Promise<void> {
    const targets = destinations.flatMap(({ opened, tags }) =>
      opened === undefined
        ? []
        : [{ sink: opened.sink, tags, ...(opened.group !== undefined && { group: opened.group }) }],
    )
    const ended = await copy(source, root, targets, this.#context, this.#options)
    const ends = [...ended.targets]
    for (const destination of destinations) {
      const { place, label, tags, error, opened } = destination
      const end = opened === undefined ? { ...NOTHING, label, error } : ends.shift()
      const { root, referrers } = ended
      results.set(destination, {
        ...(end ?? { ...NOTHING, label, error }),
        place,
        tags,
        root,
        referrers,
        madeFrom: made?.from,
      })
    }
  }

  async #chooseRoot(): Promise<PlatformSubset> {
    const { platforms = [], strict = false } = this.#options
    const { source, root } = this.#source
    const [platform, ...others] = platforms
    if (others.length > 0) return await platformSubset({ source, root }, platforms, this.#context)
    if (platform !== undefined) return await platformRoot({ source, root }, platform, this.#context)
    // A registry has what it names. What is compressed on the way has no index, and asking for its manifest would wait
    // for all of it.
    if (this.#isRemote || source.earlyBlobs !== undefined) return { source, root }
    return await presentRoot({ source, root }, this.#context, { strict })
  }

  /** A docker-archive holds single images: of an index it gets the one that runs here. */
  async #chooseSingle(whole: PlatformSubset): Promise<PlatformSubset> {
    if (whole.source.earlyBlobs !== undefined) return whole
    if (whole.made !== undefined) {
      throw new CopyError('a docker-archive holds images of one platform each', {
        kind: 'usage',
        code: 'several-platforms',
        hint: 'Give one `--platform`, or write an OCI archive with `--format oci-archive`',
      })
    }
    const { descriptor } = await whole.source.getManifest(whole.root, this.#context)
    if (!isIndexType(descriptor.mediaType)) return whole
    return await platformRoot(whole, hostPlatform(), this.#context)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { opened } of this.destinations) await opened?.[Symbol.asyncDispose]()
    await this.#source[Symbol.asyncDispose]()
  }
}

const NOTHING = { copied: 0, mounted: 0, exists: 0, skipped: 0, bytes: 0, changed: false }
