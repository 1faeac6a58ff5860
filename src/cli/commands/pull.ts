import { Args, Flags } from '@oclif/core'
import {
  type Context,
  type CopyEvent,
  copy,
  createContext,
  formatFor,
  isIndexType,
  type OpenedSource,
  openSink,
  openSource,
  type Platform,
  parseLocalLocator,
  parsePlatform,
  parseReference,
  platformRoot,
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
    await using source = await openSource({ kind: 'registry', reference }, context, {
      client,
      stdin: process.stdin,
    })
    const repository = repositoryOf(reference)
    await using sink = await openSink(to, {
      client,
      stdout: process.stdout,
      format: flags.format,
      repository,
    })
    // A docker-archive holds single images: of an index it gets the one that runs here.
    const isSingle = (await formatFor(to, flags.format)) === 'docker-archive'
    const platform = flags.platform ?? (isSingle ? await indexPlatform(source, context) : undefined)
    const { root } = platform === undefined ? source : await platformRoot(source, platform, context)
    display.pulling(source.tags[0] ?? root, reference.repository)
    const target = { sink: sink.sink, tags: sink.tags.length > 0 ? sink.tags : source.tags }
    const result = await copy(source.source, root, [target], context, {
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    })
    display.end(result, target, args.dest)
  }
}

/** The platform of this machine's containers, if the source is an index; undefined for a single image, which is taken as it is. */
async function indexPlatform(
  { source, root }: OpenedSource,
  context: Context,
): Promise<Platform | undefined> {
  const { descriptor } = await source.getManifest(root, context)
  if (!isIndexType(descriptor.mediaType)) return undefined
  return parsePlatform(`linux/${process.arch === 'x64' ? 'amd64' : process.arch}`)
}
