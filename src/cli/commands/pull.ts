import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  type CopyEvent,
  cacheFolder,
  createContext,
  PullError,
  type PulledImage,
  planPull,
  pull,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { writeDigestFile } from '../digest-file.js'
import { EXIT_CODES } from '../exit-codes.js'
import { platformFlag, transferFlags } from '../image-flags.js'
import { PullDisplay } from '../pull-display.js'
import { describeError, printError } from '../report-error.js'

export default class Pull extends BaseCommand {
  static override aliases = ['save']

  static override hiddenAliases = ['image:pull', 'image:save']

  static override summary = 'Pull images from registries to a file or folder'

  static override description = [
    'DEST is a file, a folder or - for standard output. For one REF it may be left out: <name>_<tag>.tar is written here.',
    'Several images, of any registries, go into one archive or layout, with blobs that they share once.',
    'Every byte is checked, and a pull that fails leaves nothing under the final name. Manifests and blobs are written exactly as they are, but for --uncompressed.',
  ].join('\n')

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 ./layout',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 app.tar --format oci-archive',
    '<%= config.bin %> <%= command.id %> -o both.tar localhost:5000/app:1.0 localhost:5000/ubuntu:latest',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 app.tar --uncompressed',
  ]

  static override usage = '<%= command.id %> REF... [DEST] [FLAGS]'

  static override strict = false

  static override args = {
    ref: Args.string({ description: 'image in a registry; several are possible', required: true }),
    dest: Args.string({ description: 'file or folder to write, or - for standard output' }),
  }

  static override flags = {
    ...commonFlags,
    ...transferFlags,
    ...progressFlags,
    ...registryFlags,
    output: Flags.string({
      char: 'o',
      helpValue: 'DEST',
      description: 'What to write; every argument is a REF then',
    }),
    format: Flags.option({
      options: ['docker-archive', 'oci-archive', 'oci', 'dir'] as const,
      description: 'What to write (default: docker-archive for a file, oci for a folder)',
    })(),
    platform: platformFlag({
      description:
        "Pull this platform's image of an index (default: the host's for docker-archive, else all)",
    }),
    'check-tag': Flags.boolean({
      description: 'Refuse a NAME:TAG@DIGEST whose tag has moved since, instead of a warning',
    }),
    uncompressed: Flags.boolean({
      description: 'Write the layers of a docker-archive plain; image IDs stay, the manifest digest does not',
    }),
    referrers: Flags.boolean({
      description: 'Pull signatures, SBOMs and attestations too (OCI formats)',
    }),
    'dry-run': Flags.boolean({ description: 'Say what would be downloaded, and write nothing' }),
    'digest-file': Flags.string({
      helpValue: 'FILE',
      description: 'Write the digests to a file, one a line',
    }),
  }

  protected override readonly whenRepeated = 'it goes on where this one stopped'

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Pull)
    const plan = await planPull(argv as string[], flags)
    const dataOnStdout = plan.destination.kind === 'stdio'
    if (dataOnStdout && flags.json) {
      throw new PullError('standard output is both the image and the JSON document', {
        kind: 'usage',
        code: 'stdout-twice',
        hint: 'Write the image to a file, or leave out `--json`',
      })
    }
    const display = new PullDisplay(flags, { place: plan.place, dataOnStdout, dryRun: flags['dry-run'] })
    const emit = (event: CopyEvent) => display.event(event)
    const context = createContext({ signal: this.interruption.signal, emit })
    await using client = await this.openClient(flags)
    try {
      const images = await pull(plan, client, context, {
        stdout: process.stdout,
        cacheFolder: cacheFolder({ environment: process.env }),
        platform: flags.platform,
        checkTag: flags['check-tag'],
        uncompressed: flags.uncompressed,
        referrers: flags.referrers,
        dryRun: flags['dry-run'],
        jobs: flags.jobs,
        observer: display,
      })
      const [first, ...others] = images
      if (first?.error !== undefined && others.length === 0) throw first.error
      display.finish(images, plan.format)
      await this.#finish(images, flags)
    } finally {
      display.abandon()
    }
  }

  async #finish(images: readonly PulledImage[], flags: PullFlags): Promise<void> {
    const failed = images.filter(({ error }) => error !== undefined)
    const [first] = failed
    const file = flags['digest-file']
    if (first === undefined) {
      if (file !== undefined)
        await writeDigestFile(
          file,
          images.map(({ root }) => root?.digest ?? ''),
          this.interruption.signal,
        )
      return
    }
    process.exitCode = EXIT_CODES[describeError(first.error).kind]
    if (flags.json) return
    for (const { error } of failed) printError(error, { debug: flags.debug })
  }
}

type PullFlags = Interfaces.InferredFlags<typeof Pull.flags>
