import { writeFile } from 'node:fs/promises'
import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  type CopyEvent,
  createContext,
  describeLocator,
  ImageCopy,
  type ImageCopyResult,
  type Locator,
  parseLocator,
  RegctlError,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { EXIT_CODES } from '../exit-codes.js'
import { copyDocument, ImageCopyDisplay } from '../image-copy-display.js'
import { fileFlags, platformFlag, transferFlags } from '../image-flags.js'
import { describeError, printError } from '../report-error.js'

export default class Copy extends BaseCommand {
  static override aliases = ['cp']

  static override summary = 'Copy an image between any two places'

  static override description =
    `An index goes with all its platforms, and every digest stays. What is in place already is not sent again. Several
destinations are served in one run: the source is read once, and one that fails does not stop the others.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 localhost:5000/mirror/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.0 --referrers',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.1 --platform linux/arm64',
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

  static override flags = {
    ...commonFlags,
    ...transferFlags,
    ...fileFlags,
    ...progressFlags,
    ...registryFlags,
    platform: platformFlag({
      multiple: true,
      multipleNonGreedy: true,
      description: "Copy this platform's image; given several times, a new index of just these",
    }),
    referrers: Flags.boolean({
      description: 'Copy signatures, SBOMs and attestations too, those of each platform included',
    }),
    format: Flags.option({
      options: ['docker-archive', 'oci-archive', 'oci', 'dir'] as const,
      description: 'What to write to a path (default: docker-archive for a file, oci for a folder)',
    })(),
    'no-overwrite': Flags.boolean({
      description: 'Refuse a tag that stands for another image at the destination',
    }),
    recheck: Flags.boolean({ description: 'Look for each blob although the manifest is there' }),
    strict: Flags.boolean({
      description: 'Refuse an index of which the file lacks a part, instead of leaving it out',
    }),
    'check-tag': Flags.boolean({
      description: 'Refuse a NAME:TAG@DIGEST whose tag has moved since, instead of a warning',
    }),
    'dry-run': Flags.boolean({ description: 'Say what would be copied, and copy nothing' }),
    'digest-file': Flags.string({ helpValue: 'FILE', description: 'Write the digest to a file' }),
  }

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
    await this.#copyImage(from, to, flags)
  }

  async #copyImage(from: Locator, to: readonly Locator[], flags: CopyFlags): Promise<void> {
    const status = to.some(({ kind }) => kind === 'stdio') ? process.stderr : process.stdout
    let display: ImageCopyDisplay | undefined
    const emit = (event: CopyEvent) => (display === undefined ? this.warnAbout(event) : display.event(event))
    const context = createContext({ signal: this.interruption.signal, emit })
    await using client = await this.openClient(flags)
    await using copying = await ImageCopy.open(from, to, context, {
      client,
      stdin: process.stdin,
      stdout: process.stdout,
      image: flags.image,
      platforms: flags.platform,
      format: flags.format,
      checkTag: flags['check-tag'],
      strict: flags.strict,
      referrers: flags.referrers,
      noOverwrite: flags['no-overwrite'],
      recheck: flags.recheck,
      dryRun: flags['dry-run'],
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    })
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
      await writeFile(flags['digest-file'], `${copied.root.digest}\n`)
    this.#tell(
      results.map(({ error }) => error),
      flags,
    )
  }

  /** Tells each error once, and ends with the exit code of the first. */
  #tell(errors: readonly unknown[], flags: CopyFlags): void {
    const distinct = [...new Set(errors.filter(error => error !== undefined))]
    if (distinct.length === 0) return
    const interrupted = this.interruption.signal.aborted
    process.exitCode = EXIT_CODES[describeError(distinct[0], interrupted).kind]
    if (flags.json) return
    for (const error of distinct) printError(error, { debug: flags.debug, interrupted })
  }
}

type CopyFlags = Interfaces.InferredFlags<typeof Copy.flags>
