import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  createContext,
  type Descriptor,
  openImageFile,
  parseLocator,
  pushedDigest,
  selectImage,
  tagOrDigest,
} from '../../index.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'
import { compressionFlag, fileFlags, platformFlag } from '../image-flags.js'

export default class Digest extends BaseCommand {
  static override summary = 'Print the digest of an image'

  static override description =
    'For a local file it is the digest that the image gets by a push with the same flags.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/ubuntu:latest',
    '<%= config.bin %> <%= command.id %> image.tar',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...fileFlags,
    ...registryFlags,
    platform: platformFlag({ description: "Take this platform's image of an index" }),
    compression: compressionFlag({ description: 'How a push would compress layers' }),
    format: Flags.option({
      options: ['docker', 'oci'] as const,
      description: 'Which manifest a push would make',
    })(),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Digest)
    const descriptor = await this.#describe(args.locator, flags)
    if (flags.json)
      this.printJson({ mediaType: descriptor.mediaType, digest: descriptor.digest, size: descriptor.size })
    else process.stdout.write(`${descriptor.digest}\n`)
  }

  async #describe(text: string, flags: Interfaces.InferredFlags<typeof Digest.flags>): Promise<Descriptor> {
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    const locator = await parseLocator(text, 'registry')
    if (locator.kind === 'registry') {
      const { reference } = locator
      await using client = await this.openClient(flags)
      const repository = client.repository(reference.registry, reference.repository)
      return (await repository.getManifest(tagOrDigest(reference), context)).descriptor
    }
    const { compression, format } = flags
    const conversion = { ...(compression && { compression }), ...(format && { format }) }
    await using file = await openImageFile(locator, context, { stdin: process.stdin, ...conversion })
    const image = selectImage(file, flags.image ?? (locator.kind === 'file' ? locator.image : undefined))
    return await pushedDigest(
      image,
      { conversion, ...(flags.platform && { platform: flags.platform }) },
      context,
    )
  }
}
