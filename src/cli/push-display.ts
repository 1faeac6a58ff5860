import type { CopyEvent, ImagePush, PushResult } from '../index.js'
import { formatBytes } from './progress/bytes.js'
import {
  createRenderer,
  type ProgressMode,
  type ProgressRenderer,
  type ProgressStreams,
} from './progress/renderer.js'
import { pushedLine, pushHeader } from './progress/words.js'

/**
 * Shows the push of one image as `docker push` does. The first repository's progress is live; what happens to the others
 * follows when all is over, so that the lines of each stand together.
 */
export class PushDisplay {
  readonly #push: ImagePush
  readonly #mode: ProgressMode
  readonly #streams: ProgressStreams
  readonly #renderers: readonly ProgressRenderer[]
  readonly #dryRun: boolean

  constructor(push: ImagePush, mode: ProgressMode, streams: ProgressStreams, dryRun: boolean) {
    this.#push = push
    this.#mode = mode
    this.#streams = streams
    this.#dryRun = dryRun
    this.#renderers = push.targets.map(({ repository }, position) =>
      createRenderer(mode, streams, { words: 'push', target: repository, live: position === 0, dryRun }),
    )
    this.#header(0)
  }

  /** Takes the next event of the copy. */
  event(event: CopyEvent): void {
    for (const renderer of this.#renderers) renderer.event(event)
  }

  /** Ends what is live, without results: the push was given up. */
  abandon(): void {
    this.#renderers[0]?.end()
  }

  /** Shows how it ended, target by target. Errors are for the caller to tell. */
  end(results: readonly PushResult[]): void {
    for (const [position, result] of results.entries()) {
      if (position > 0) this.#header(position)
      this.#renderers[position]?.end()
      if (result.error === undefined) this.#done(result)
    }
  }

  #header(position: number): void {
    const target = this.#push.targets[position]
    if (target !== undefined && this.#speaks) this.#streams.stdout.write(pushHeader(target.repository))
  }

  #done(result: PushResult): void {
    const { root, target } = result
    if (root === undefined || !this.#speaks) return
    if (this.#dryRun) {
      const there = result.exists === 0 ? '' : `, ${result.exists} there already`
      const toSend = `${result.copied} blobs to send, ${formatBytes(result.bytes)}${there}`
      this.#streams.stdout.write(`Nothing was sent: ${target.repository}@${root.digest} (${toSend})\n`)
      return
    }
    const names = target.tags.length > 0 ? target.tags : [root.digest]
    for (const name of names) this.#streams.stdout.write(pushedLine(name, root.digest, root.size))
  }

  get #speaks(): boolean {
    return this.#mode === 'plain' || this.#mode === 'tty'
  }
}
