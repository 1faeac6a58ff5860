import type { Readable, Writable } from 'node:stream'
import type { Context } from '../content/store.js'
import type { CopyOptions } from '../copy/copy.js'
import { nameOfSource } from '../open/archive-names.js'
import type { FileFormat, Locator } from '../open/location.js'
import { type OpenedSource, openSource } from '../open/open-source.js'
import type { RegistryClient } from '../registry/client.js'
import { checkDestinations, type Destination, openDestinations } from './copy-destinations.js'
import { chooseRoot, copyRoot, type ImageCopyResult, type RootSelection } from './copy-root.js'

/** What a copy between any two places takes besides its ends. */
export interface LocatorCopyOptions extends CopyOptions, RootSelection {
  client: RegistryClient
  /** Read where the source is `-`. */
  stdin: Readable
  /** Written where a destination is `-`. */
  stdout: Writable
  /** What is written to a path whose locator doesn't state it. */
  format?: FileFormat | undefined
  /**
   * The user's folder for caches, by which the next copy to a file goes on where one came to no end, and layers that were
   * compressed once are known; see `openSink` and `DockerArchiveOptions`. Default: nothing is remembered.
   */
  cacheFolder?: string | undefined
}

/** What {@link ImageCopy} takes besides its ends. */
export interface ImageCopyOptions extends LocatorCopyOptions {
  /** Picks an image of a file that holds several; see `selectImage`. */
  image?: string | undefined
  /** Refuse a `name:tag@digest` whose tag has moved since. */
  checkTag?: boolean | undefined
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
  private constructor(
    /** Names of one repository together, in the order in which they were named. */
    readonly destinations: readonly Destination[],
    private readonly source: OpenedSource,
    private readonly isRemote: boolean,
    private readonly context: Context,
    private readonly options: ImageCopyOptions,
  ) {}

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
    const isRemote = from.kind === 'registry'
    const source = await openSource(from, context, {
      client,
      stdin,
      image,
      checkTag,
      cacheFolder: options.cacheFolder,
    })
    // What is read from a file need not be kept to be read again.
    const cacheFolder = isRemote ? options.cacheFolder : undefined
    const names = nameOfSource(from, source.names, source.tags)
    const destinations = await openDestinations(to, names, { ...options, cacheFolder })
    return new ImageCopy(destinations, source, isRemote, context, { ...options, expectDigest })
  }

  /**
   * Copies. A destination that fails does not stop the others: its error is in its result.
   *
   * @throws CopyError when the platforms are not there; what the source throws when it has to be read to find them
   */
  async run(): Promise<ImageCopyResult[]> {
    const { source, root } = this.source
    const chosen = await chooseRoot({ source, root }, this.isRemote, this.options, this.context)
    return await copyRoot(chosen, this.destinations, this.context, this.options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { opened } of this.destinations) await opened?.[Symbol.asyncDispose]()
    await this.source[Symbol.asyncDispose]()
  }
}
