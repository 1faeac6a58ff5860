import {
  type BegunPull,
  type CopyEvent,
  familiarName,
  formatPlatform,
  formatReference,
  type PulledImage,
  type PullObserver,
  printable,
  type Reference,
  repositoryOf,
  tagOrDigest,
} from '../index.js'
import { formatBytes } from './progress/bytes.js'
import type { DisplayFlags } from './progress/display-flags.js'
import { chooseMode, createRenderer, type ProgressMode, type ProgressRenderer } from './progress/renderer.js'
import { describeError } from './report-error.js'

/** What a {@link PullDisplay} has to know besides the flags. */
export interface PullDisplayOptions {
  /** The destination as the user wrote it. */
  place: string
  /** The image itself goes to standard output, so that everything else has to go to standard error. */
  dataOnStdout: boolean
  dryRun: boolean
}

/** Shows a pull in the words of `docker pull`, image by image. */
export class PullDisplay implements PullObserver {
  readonly #flags: DisplayFlags
  readonly #options: PullDisplayOptions
  readonly #mode: ProgressMode
  readonly #status: NodeJS.WriteStream
  #renderer: ProgressRenderer

  constructor(flags: DisplayFlags, options: PullDisplayOptions) {
    this.#flags = flags
    this.#options = options
    this.#status = options.dataOnStdout ? process.stderr : process.stdout
    const isQuiet = flags.progress === 'auto' && (flags.quiet || flags.json)
    this.#mode = isQuiet
      ? 'quiet'
      : chooseMode(flags.progress, { isTTY: this.#status.isTTY === true, env: process.env })
    this.#renderer = this.#idle()
  }

  /** Takes the next event of the copy. */
  event(event: CopyEvent): void {
    this.#renderer.event(event)
  }

  begin({ reference, platform, isHostChoice }: BegunPull): void {
    const { dryRun } = this.#options
    const streams = { stdout: this.#status, stderr: process.stderr }
    if (reference.tag === undefined && reference.digest === undefined)
      this.#say('Using default tag: latest\n')
    this.#say(`${printable(tagOrDigest(reference))}: Pulling from ${printable(reference.repository)}\n`)
    if (platform !== undefined && isHostChoice)
      this.#say(`An index: its image for ${printable(formatPlatform(platform))} (--platform takes another)\n`)
    this.#renderer = createRenderer(this.#mode, streams, { words: 'pull', dryRun })
  }

  /** As docker does, it says so too when there was nothing to download, the config included. */
  end({ reference, root, error, copied, exists, bytes }: PulledImage): void {
    this.abandon()
    if (error !== undefined || root === undefined) return
    if (this.#options.dryRun) {
      const there = exists === 0 ? '' : `, ${exists} there already`
      const toPull = `${copied} blobs to download, ${formatBytes(bytes)}${there}`
      this.#say(`Nothing was pulled: ${printable(repositoryOf(reference))}@${root.digest} (${toPull})\n`)
      return
    }
    const status = copied === 0 ? 'Image is up to date for' : 'Downloaded newer image for'
    this.#say(`Digest: ${root.digest}\nStatus: ${status} ${printable(nameOf(reference))}\n`)
  }

  /** Ends what is live. Safe to call again. */
  abandon(): void {
    this.#renderer.end()
    this.#renderer = this.#idle()
  }

  /** Shows how it all ended. Errors are for the caller to tell, but in JSON. */
  finish(images: readonly PulledImage[], format: string): void {
    const { place, dryRun } = this.#options
    if (this.#flags.json) {
      const document = { destination: place, format, images: images.map(imageDocument) }
      this.#status.write(`${JSON.stringify(document, undefined, 2)}\n`)
    } else if (this.#flags.quiet) {
      for (const { reference, root, error } of images) {
        if (error === undefined && root !== undefined)
          this.#status.write(`${repositoryOf(reference)}@${root.digest}\n`)
      }
    } else if (!dryRun && images.some(({ changed }) => changed))
      this.#say(`Saved to ${place === '-' ? 'standard output' : printable(place)}\n`)
  }

  /** Between images there is no progress, but there may be warnings. */
  #idle(): ProgressRenderer {
    const mode = this.#mode === 'json' ? 'json' : 'quiet'
    return createRenderer(mode, { stdout: this.#status, stderr: process.stderr })
  }

  #say(text: string): void {
    if (this.#mode === 'plain' || this.#mode === 'tty') this.#status.write(text)
  }
}

/** A reference as Docker shows it. */
function nameOf(reference: Reference): string {
  const full = formatReference(withTag(reference))
  return `${familiarName(reference)}${full.slice(repositoryOf(reference).length)}`
}

function withTag(reference: Reference): Reference {
  return reference.tag === undefined && reference.digest === undefined
    ? { ...reference, tag: 'latest' }
    : reference
}

function imageDocument(image: PulledImage) {
  const { reference, tags, root, written, platform, referrers, error } = image
  const { copied, mounted, exists, skipped, bytes } = image
  return {
    reference: formatReference(withTag(reference)),
    ...(tags.length > 0 && { tags }),
    ...(root !== undefined && { mediaType: root.mediaType, digest: root.digest, size: root.size }),
    ...(written !== undefined && written.digest !== root?.digest && { writtenDigest: written.digest }),
    ...(platform !== undefined && { platform }),
    blobs: { copied, mounted, exists, skipped },
    bytes,
    ...(referrers > 0 && { referrers }),
    ...(error !== undefined && { error: describeError(error) }),
  }
}
