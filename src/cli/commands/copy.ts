import { Args, type Interfaces } from '@oclif/core'
import {
  type CopyEvent,
  cacheFolder,
  createContext,
  describeLocator,
  ImageCopy,
  type ImageCopyResult,
  InterruptedError,
  type Locator,
  type LocatorCopyOptions,
  parseLocator,
  RegctlError,
  type RegistryClient,
  RepositoryCopy,
} from '../../index.js'
import { BaseCommand } from '../base-command.js'
import { copyFlags } from '../copy-flags.js'
import { writeDigestFile } from '../digest-file.js'
import { EXIT_CODES } from '../exit-codes.js'
import { copyDocument, ImageCopyDisplay } from '../image-copy-display.js'
import { JsonRenderer } from '../progress/json.js'
import { describeError, printError } from '../report-error.js'
import { RepositoryCopyDisplay } from '../repository-copy-display.js'

export default class Copy extends BaseCommand {
  static override aliases = ['cp']

  static override hiddenAliases = ['image:copy', 'image:cp']

  static override summary = 'Copy an image between any two places'

  static override description =
    `An index goes with all its platforms, and every digest stays. What is in place already is not sent again. Several
destinations are served in one run: the source is read once, and one that fails does not stop the others.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 localhost:5000/mirror/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.0 --referrers',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.1 --platform linux/arm64',
    "<%= config.bin %> <%= command.id %> localhost:5000/app localhost:5000/mirror/app --all-tags --include '1.*'",
    '<%= config.bin %> <%= command.id %> image.tar oci:copied:1.0 localhost:5000/app:1.0',
  ]

  static override usage = '<%= command.id %> SOURCE DEST... [FLAGS]'

  static override strict = false

  static override args = {
    source: Args.string({
      description: 'image in a registry, file or folder; - for standard input',
      required: true,
    }),
    dest: Args.string({
      description: 'where to copy it; several are possible; - for standard output',
      required: true,
    }),
  }

  static override flags = copyFlags

  protected override readonly whenRepeated = 'it goes on where this one stopped'

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Copy)
    const [from, ...to] = await Promise.all((argv as string[]).map(text => parseLocator(text, 'registry')))
    if (from === undefined) return
    if (from.kind === 'stdio' && flags['password-stdin']) {
      throw new RegctlError('standard input is both the image and the password', {
        kind: 'usage',
        code: 'stdin-twice',
      })
    }
    if (flags['all-tags']) await this.#copyTags(from, to, flags)
    else await this.#copyImage(from, to, flags)
  }

  async #copyTags(from: Locator, to: readonly Locator[], flags: CopyFlags): Promise<void> {
    const display = new RepositoryCopyDisplay(flags, statusOf(to))
    const json = flags.progress === 'json' ? new JsonRenderer(process.stderr) : undefined
    const emit = (event: CopyEvent) => (json === undefined ? this.warnAbout(event) : json.event(event))
    const context = createContext({ signal: this.interruption.signal, emit })
    await using client = await this.openClient(flags)
    const { include, exclude } = flags
    const options = { ...optionsOf(client, flags), include, exclude, tellLayers: false }
    await using copying = await RepositoryCopy.open(from, to, context, options)
    let firstError: unknown
    let broken: unknown
    try {
      for await (const result of copying.run()) {
        // What was under way when it was interrupted did not fail by itself.
        if (this.interruption.signal.aborted) continue
        display.tag(result)
        firstError ??= result.targets.find(({ error }) => error !== undefined)?.error
      }
    } catch (error) {
      broken = error
    }
    if (this.interruption.signal.aborted) broken ??= new InterruptedError()
    display.end(describeLocator(from), broken)
    if (broken !== undefined) this.#tell([broken], flags)
    else if (firstError !== undefined) process.exitCode = this.#exitCode(firstError)
  }

  async #copyImage(from: Locator, to: readonly Locator[], flags: CopyFlags): Promise<void> {
    const status = statusOf(to)
    let display: ImageCopyDisplay | undefined
    const emit = (event: CopyEvent) => (display === undefined ? this.warnAbout(event) : display.event(event))
    const context = createContext({ signal: this.interruption.signal, emit })
    await using client = await this.openClient(flags)
    const options = { ...optionsOf(client, flags), image: flags.image, checkTag: flags['check-tag'] }
    await using copying = await ImageCopy.open(from, to, context, options)
    display = new ImageCopyDisplay(copying.destinations, flags, status)
    let results: ImageCopyResult[]
    try {
      results = await copying.run()
      display.end(results)
    } finally {
      display.abandon()
    }
    if (flags.json) {
      const document = { source: describeLocator(from), targets: results.map(copyDocument) }
      status.write(`${JSON.stringify(document, undefined, 2)}\n`)
    }
    const copied = results.find(({ error, root }) => error === undefined && root !== undefined)
    if (flags['digest-file'] !== undefined && copied?.root !== undefined)
      await writeDigestFile(flags['digest-file'], [copied.root.digest], this.interruption.signal)
    this.#tell(
      results.map(({ error }) => error),
      flags,
    )
  }

  #exitCode(error: unknown): number {
    return EXIT_CODES[describeError(error, this.interrupted).kind]
  }

  /** Tells each error once, and ends with the exit code of the first. */
  #tell(errors: readonly unknown[], flags: CopyFlags): void {
    const distinct = [...new Set(errors.filter(error => error !== undefined))]
    if (distinct.length === 0) return
    process.exitCode = this.#exitCode(distinct[0])
    if (flags.json) return
    const { interrupted } = this
    for (const error of distinct) printError(error, { debug: flags.debug, interrupted })
  }
}

type CopyFlags = Interfaces.InferredFlags<typeof Copy.flags>

/** Lines for people go to standard error when an image goes to standard output. */
function statusOf(to: readonly Locator[]): NodeJS.WriteStream {
  return to.some(({ kind }) => kind === 'stdio') ? process.stderr : process.stdout
}

function optionsOf(client: RegistryClient, flags: CopyFlags): LocatorCopyOptions {
  return {
    client,
    stdin: process.stdin,
    stdout: process.stdout,
    ...(!flags['no-cache'] && { cacheFolder: cacheFolder({ environment: process.env }) }),
    platforms: flags.platform,
    format: flags.format,
    strict: flags.strict,
    referrers: flags.referrers,
    noOverwrite: flags['no-overwrite'],
    recheck: flags.recheck,
    dryRun: flags['dry-run'],
    ...(flags.jobs !== undefined && { jobs: flags.jobs }),
  }
}
