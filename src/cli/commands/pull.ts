import { Args, Flags } from '@oclif/core'
import {
  type CopyEvent,
  copy,
  createContext,
  formatFor,
  openSink,
  openSource,
  parseLocalLocator,
  parseReference,
  repositoryOf,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { CopyDisplay } from '../copy-display.js'
import { platformFlag, transferFlags } from '../image-flags.js'

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
    ...transferFlags,
    ...progressFlags,
    ...registryFlags,
    format: Flags.option({
      options: ['docker-archive', 'oci-archive', 'oci', 'dir'] as const,
      description: 'What to write (default: docker-archive for a file, oci for a folder)',
    })(),
    platform: platformFlag({ description: "Pull this platform's image instead of the whole index" }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Pull)
    const reference = parseReference(args.ref)
    const to = await parseLocalLocator(args.dest)
    const display = new CopyDisplay(flags, 'pull', to.kind === 'stdio')
    const context = createContext({
      signal: this.interruption.signal,
      emit: (event: CopyEvent) => display.event(event),
    })
    await using client = await this.openClient(flags)
    // A docker-archive holds single images: of an index it gets the one that runs here.
    const isSingle = (await formatFor(to, flags.format)) === 'docker-archive'
    await using source = await openSource({ kind: 'registry', reference }, context, {
      client,
      stdin: process.stdin,
      platform: flags.platform ?? (isSingle ? 'host' : undefined),
    })
    const repository = repositoryOf(reference)
    await using sink = await openSink(to, {
      client,
      stdout: process.stdout,
      format: flags.format,
      repository,
    })
    display.pulling(source.tags[0] ?? source.root, reference.repository)
    const target = { sink: sink.sink, tags: sink.tags.length > 0 ? sink.tags : source.tags }
    const result = await copy(source.source, source.root, [target], context, {
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    })
    display.end(result, target, args.dest)
  }
}
