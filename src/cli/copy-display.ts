import { type CopyEvent, type CopyResult, type CopyTarget, printable } from '../index.js'
import { chooseMode, createRenderer, type ProgressMode, type ProgressRenderer } from './progress/renderer.js'
import { pushedLine, type Words } from './progress/words.js'

/** The flags that say how a copy is shown. */
export interface DisplayFlags {
  progress: 'auto' | 'tty' | 'plain' | 'json' | 'none'
  quiet: boolean
  json: boolean
}

/** Shows a copy to one target, in the words of `docker push` or `docker pull`. */
export class CopyDisplay {
  readonly #flags: DisplayFlags
  readonly #words: Words
  readonly #mode: ProgressMode
  readonly #renderer: ProgressRenderer
  readonly #status: NodeJS.WriteStream

  /** @param dataOnStdout the image itself goes to standard output, so that the status has to go to standard error */
  constructor(flags: DisplayFlags, words: Words, dataOnStdout: boolean) {
    this.#flags = flags
    this.#words = words
    this.#status = dataOnStdout ? process.stderr : process.stdout
    const isQuiet = flags.progress === 'auto' && (flags.quiet || flags.json)
    this.#mode = isQuiet
      ? 'quiet'
      : chooseMode(flags.progress, { isTTY: this.#status.isTTY === true, env: process.env })
    this.#renderer = createRenderer(this.#mode, { stdout: this.#status, stderr: process.stderr }, { words })
  }

  event(event: CopyEvent): void {
    this.#renderer.event(event)
  }

  /** Docker's first line of a pull. */
  pulling(name: string, repository: string): void {
    if (this.#speaks) this.#status.write(`${printable(name)}: Pulling from ${printable(repository)}\n`)
  }

  /**
   * Shows how it ended.
   *
   * @param place the destination as the user gave it, or `host/repository`
   * @throws what the copy failed with
   */
  end({ root, targets }: CopyResult, { tags }: CopyTarget, place: string): void {
    this.#renderer.end()
    const [result] = targets
    if (result?.error !== undefined) throw result.error
    if (root === undefined || result === undefined) return
    const { digest, size, mediaType } = root
    if (this.#flags.json) {
      const { copied, mounted, exists, skipped, bytes } = result
      const blobs = { copied, mounted, exists, skipped }
      const document = { destination: place, tags, mediaType, digest, size, blobs, bytes }
      this.#status.write(`${JSON.stringify(document, undefined, 2)}\n`)
    } else if (this.#flags.quiet) this.#status.write(`${place}@${digest}\n`)
    else if (!this.#speaks) return
    else if (this.#words === 'push') this.#sayPushed(tags.length > 0 ? tags : [digest], digest, size)
    else this.#sayPulled(digest, result.copied, place)
  }

  /** Docker says so too when there was nothing to download, the config included. */
  #sayPulled(digest: string, copied: number, place: string): void {
    const status = copied === 0 ? 'Image is up to date for' : 'Downloaded newer image to'
    this.#status.write(`Digest: ${digest}\nStatus: ${status} ${place}\n`)
  }

  #sayPushed(names: readonly string[], digest: string, size: number): void {
    for (const name of names) this.#status.write(pushedLine(name, digest, size))
  }

  get #speaks(): boolean {
    return this.#mode === 'plain' || this.#mode === 'tty'
  }
}
