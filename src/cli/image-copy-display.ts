import { type CopyEvent, type Destination, type ImageCopyResult, printable } from '../index.js'
import { formatBytes } from './progress/bytes.js'
import type { DisplayFlags } from './progress/display-flags.js'
import { chooseMode, createRenderer, type ProgressMode, type ProgressRenderer } from './progress/renderer.js'
import { pushedLine } from './progress/words.js'
import { describeError } from './report-error.js'

/**
 * Shows the copy of an image to one or several destinations, in the words of `docker push`. The first destination's progress
 * is live; what happens to the others follows when all is over, so that the lines of each stand together.
 */
export class ImageCopyDisplay {
  readonly #flags: DisplayFlags & { 'dry-run': boolean }
  readonly #destinations: readonly Destination[]
  readonly #mode: ProgressMode
  readonly #renderers: readonly ProgressRenderer[]
  readonly #status: NodeJS.WriteStream

  /** @param status where lines for people go: standard error when the image itself goes to standard output */
  constructor(
    destinations: readonly Destination[],
    flags: DisplayFlags & { 'dry-run': boolean },
    status: NodeJS.WriteStream,
  ) {
    this.#flags = flags
    this.#destinations = destinations
    this.#status = status
    const isQuiet = flags.progress === 'auto' && (flags.quiet || flags.json)
    this.#mode = isQuiet
      ? 'quiet'
      : chooseMode(flags.progress, { isTTY: status.isTTY === true, env: process.env })
    const streams = { stdout: status, stderr: process.stderr }
    this.#renderers = destinations.map(({ label }, position) => {
      const live = position === 0
      return createRenderer(this.#mode, streams, {
        words: 'push',
        target: label,
        live,
        dryRun: flags['dry-run'],
      })
    })
    this.#header(0)
  }

  /** Takes the next event of the copy. */
  event(event: CopyEvent): void {
    for (const renderer of this.#renderers) renderer.event(event)
  }

  /** Ends what is live, without results: the copy was given up. */
  abandon(): void {
    this.#renderers[0]?.end()
  }

  /** Shows how it ended, destination by destination. Errors are for the caller to tell. */
  end(results: readonly ImageCopyResult[]): void {
    for (const [position, result] of results.entries()) {
      if (position > 0) this.#header(position)
      this.#renderers[position]?.end()
      if (result.error !== undefined || result.root === undefined) continue
      if (this.#flags.quiet && !this.#flags.json)
        this.#status.write(`${printable(result.place)}@${result.root.digest}\n`)
      else if (this.#speaks) this.#done(result)
    }
  }

  #header(position: number): void {
    const destination = this.#destinations[position]
    if (this.#destinations.length < 2 || destination === undefined || !this.#speaks) return
    this.#status.write(`Copying to ${printable(destination.place)}\n`)
  }

  #done(result: ImageCopyResult): void {
    const { root, tags, madeFrom, referrers, place } = result
    if (root === undefined) return
    if (madeFrom !== undefined) {
      this.#status.write(`New index ${root.digest} with the platforms asked for, out of ${madeFrom}\n`)
    }
    if (referrers > 0) this.#status.write(`With ${referrers} ${referrers === 1 ? 'referrer' : 'referrers'}\n`)
    if (this.#flags['dry-run']) {
      const there = result.exists === 0 ? '' : `, ${result.exists} there already`
      const toSend = `${result.copied} blobs to send, ${formatBytes(result.bytes)}${there}`
      this.#status.write(`Nothing was sent: ${printable(place)}@${root.digest} (${toSend})\n`)
      return
    }
    const names = tags.length > 0 ? tags : [root.digest]
    for (const name of names) this.#status.write(pushedLine(name, root.digest, root.size))
  }

  get #speaks(): boolean {
    return !this.#flags.json && !this.#flags.quiet && (this.#mode === 'plain' || this.#mode === 'tty')
  }
}

/** A result as `--json` gives it. */
export function copyDocument(result: ImageCopyResult): object {
  const { place, tags, root, madeFrom, referrers, copied, mounted, exists, skipped, bytes, error } = result
  return {
    destination: printable(place),
    tags,
    ...(root !== undefined && { mediaType: root.mediaType, digest: root.digest, size: root.size }),
    ...(madeFrom !== undefined && { sourceDigest: madeFrom }),
    ...(referrers > 0 && { referrers }),
    blobs: { copied, mounted, exists, skipped },
    bytes,
    ...(error !== undefined && { error: describeError(error) }),
  }
}
