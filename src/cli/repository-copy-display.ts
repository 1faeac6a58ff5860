import { printable, type TagCopyResult } from '../index.js'
import { copyDocument } from './image-copy-display.js'
import { formatBytes } from './progress/bytes.js'
import { describeError, errorLines } from './report-error.js'

/** The flags that say how the copy of a repository is shown. */
export interface RepositoryDisplayFlags {
  json: boolean
  quiet: boolean
  'dry-run': boolean
  progress: string
}

/** Shows the copy of a repository: a line for each tag, and the numbers at the end. */
export class RepositoryCopyDisplay {
  readonly #flags: RepositoryDisplayFlags
  readonly #status: NodeJS.WriteStream
  readonly #documents: object[] = []
  readonly #count = { copied: 0, unchanged: 0, failed: 0 }
  /** The hints that were given: one that fits several tags is given once. */
  readonly #hints = new Set<string>()

  /** @param status where lines for people go: standard error when an archive goes to standard output */
  constructor(flags: RepositoryDisplayFlags, status: NodeJS.WriteStream) {
    this.#flags = flags
    this.#status = status
  }

  /** Shows how the copy of one tag ended. */
  tag({ tag, targets }: TagCopyResult): void {
    const hasFailed = targets.some(({ error }) => error !== undefined)
    const kind = hasFailed ? 'failed' : targets.some(({ changed }) => changed) ? 'copied' : 'unchanged'
    this.#count[kind]++
    if (this.#flags.json) {
      this.#documents.push({ tag, targets: targets.map(copyDocument) })
      return
    }
    for (const target of targets) this.#line(tag, target, targets.length > 1)
  }

  #line(tag: string, target: TagCopyResult['targets'][number], isOneOfMany: boolean): void {
    const { place, root, error, changed, copied, bytes } = target
    const where = isOneOfMany ? ` (${printable(place)})` : ''
    if (error !== undefined || root === undefined) this.#tellError(`${tag}${where}`, error)
    else if (this.#flags.quiet) this.#status.write(`${printable(place)}:${tag}@${root.digest}\n`)
    else if (this.#flags.progress === 'none') return
    else if (!changed) this.#status.write(`${tag}: already there${where}\n`)
    else if (this.#flags['dry-run']) {
      const toSend = `${copied} blobs to send, ${formatBytes(bytes)}`
      this.#status.write(`${tag}: would be copied: ${root.digest} (${toSend})${where}\n`)
    } else this.#status.write(`${tag}: digest: ${root.digest}${where}\n`)
  }

  #tellError(name: string, error: unknown): void {
    const { hint } = describeError(error)
    const [message, ...rest] = errorLines(error).split('\n')
    process.stderr.write(`${message?.replace(/^error: /, `error: ${name}: `)}\n`)
    if (hint === undefined || this.#hints.has(hint)) return
    this.#hints.add(hint)
    process.stderr.write(rest.join('\n'))
  }

  /**
   * Shows the numbers.
   *
   * @param broken what the list of tags broke off with; it is for the caller to tell
   */
  end(source: string, broken: unknown): void {
    const { copied, unchanged, failed } = this.#count
    if (this.#flags.json) {
      const error = broken === undefined ? {} : { error: describeError(broken) }
      const document = { source, tags: this.#documents, ...this.#count, ...error }
      this.#status.write(`${JSON.stringify(document, undefined, 2)}\n`)
    } else if (!this.#flags.quiet && this.#flags.progress !== 'none') {
      const total = copied + unchanged + failed
      if (total === 0 && broken !== undefined) return
      const done = this.#flags['dry-run'] ? 'to copy' : 'copied'
      const tags = total === 1 ? 'tag' : 'tags'
      this.#status.write(
        `${total} ${tags}: ${copied} ${done}, ${unchanged} already there, ${failed} failed\n`,
      )
    }
  }
}
