import { Args, Flags } from '@oclif/core'
import {
  type CopyEvent,
  type CopyTarget,
  copy,
  createContext,
  labelOf,
  openSink,
  openSource,
  parseLocator,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { CopyDisplay } from '../copy-display.js'
import { fileFlags, platformFlag, transferFlags } from '../image-flags.js'

export default class Copy extends BaseCommand {
  static override aliases = ['cp']

  static override summary = 'Copy an image between any two places'

  static override description =
    'An index goes with all its platforms, and every digest stays. Nothing passes through the disk between registries.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 localhost:5000/mirror/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.0',
  ]

  static override args = {
    source: Args.string({ description: 'image in a registry, file or folder', required: true }),
    dest: Args.string({ description: 'where to copy it', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...transferFlags,
    ...fileFlags,
    ...progressFlags,
    ...registryFlags,
    platform: platformFlag({ description: "Copy this platform's image instead of the whole index" }),
    'dry-run': Flags.boolean({ description: 'Say what would be copied, and copy nothing' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Copy)
    const from = await parseLocator(args.source, 'registry')
    const to = await parseLocator(args.dest, 'registry')
    const display = new CopyDisplay(flags, 'push', to.kind === 'stdio')
    const emit = (event: CopyEvent) => display.event(event)
    const context = createContext({ signal: this.interruption.signal, emit })
    await using client = await this.openClient(flags)
    await using source = await openSource(from, context, {
      client,
      stdin: process.stdin,
      image: flags.image,
      platform: flags.platform,
    })
    await using sink = await openSink(to, { client, stdout: process.stdout })
    const target: CopyTarget = {
      sink: sink.sink,
      tags: sink.tags.length > 0 ? sink.tags : to.kind === 'registry' ? [] : source.tags,
    }
    const result = await copy(source.source, source.root, [target], context, {
      dryRun: flags['dry-run'],
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    })
    display.end(result, target, labelOf(to))
  }
}
