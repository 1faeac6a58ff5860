import { Args, Flags } from '@oclif/core'
import {
  type CopyEvent,
  copy,
  createContext,
  openSink,
  openSource,
  parseLocator,
  parseReference,
  platformRoot,
  RegctlError,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { CopyDisplay } from '../copy-display.js'
import { platformFlag } from '../image-flags.js'

export default class Pull extends BaseCommand {
  static override summary = 'Pull an image from a registry to a file or folder'

  static override description =
    'Manifests and blobs are written exactly as they are; every byte is checked. A pull that fails leaves nothing under the final name.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 ./layout',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 app.tar --format oci-archive',
  ]

  static override args = {
    ref: Args.string({ description: 'image in a registry', required: true }),
    dest: Args.string({ description: 'file or folder to write', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...progressFlags,
    ...registryFlags,
    format: Flags.option({
      options: ['docker-archive', 'oci-archive', 'oci', 'dir'] as const,
      description: 'What to write (default: docker-archive for a file, oci for a folder)',
    })(),
    platform: platformFlag({ description: "Pull this platform's image instead of the whole index" }),
    jobs: Flags.integer({
      min: 1,
      max: 64,
      helpValue: 'N',
      description: 'How many large blobs travel at once (default: 4)',
    }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Pull)
    const reference = parseReference(args.ref)
    const to = await parseLocator(args.dest, 'file')
    if (to.kind === 'registry') {
      throw new RegctlError(`${args.dest} is in a registry`, {
        kind: 'usage',
        code: 'not-local',
        hint: 'Use `regctl copy` from one registry to another',
      })
    }
    const display = new CopyDisplay(flags, 'pull', to.kind === 'stdio')
    const context = createContext({
      signal: this.interruption.signal,
      emit: (event: CopyEvent) => display.event(event),
    })
    await using client = await this.openClient(flags)
    await using source = await openSource({ kind: 'registry', reference }, context, {
      client,
      stdin: process.stdin,
    })
    await using sink = await openSink(to, { client, stdout: process.stdout, format: flags.format })
    const { root } =
      flags.platform === undefined ? source : await platformRoot(source, flags.platform, context)
    display.pulling(source.tags[0] ?? root, reference.repository)
    const target = { sink: sink.sink, tags: sink.tags.length > 0 ? sink.tags : source.tags }
    const result = await copy(source.source, root, [target], context, {
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    })
    display.end(result, target, args.dest)
  }
}
