import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  cacheFolder,
  type Descriptor,
  describeRoot,
  openImageFile,
  parseLocator,
  pushedDigest,
  selectImage,
} from '../../index.js'
import { cacheFlags, compressionFlag } from '../image-flags.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'
import { printLine } from '../print-line.js'

export default class Digest extends LookupCommand {
  static override hiddenAliases = ['image:digest']

  static override summary = 'Print the digest of an image'

  static override description =
    'For a local file it is the digest that the image gets by a push with the same flags.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/ubuntu:latest',
    '<%= config.bin %> <%= command.id %> image.tar',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 --platform linux/arm64',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = {
    ...lookupFlags,
    ...cacheFlags,
    compression: compressionFlag({ description: 'How a push would compress layers' }),
    format: Flags.option({
      options: ['docker', 'oci'] as const,
      description: 'Which manifest a push would make',
    })(),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Digest)
    const { mediaType, digest, size } = await this.#describe(args.locator, flags)
    if (flags.json) this.printJson({ mediaType, digest, size })
    else printLine(digest)
  }

  async #describe(text: string, flags: Interfaces.InferredFlags<typeof Digest.flags>): Promise<Descriptor> {
    const context = this.createContext()
    const locator = await parseLocator(text, 'registry')
    if (locator.kind === 'registry') {
      const image = await this.openImage(locator, flags, context)
      try {
        // Kept connections hold no process. To end with it takes them less than to be closed one by one.
        return await describeRoot(image, context)
      } catch (error) {
        await image[Symbol.asyncDispose]()
        throw error
      }
    }
    const { compression, format } = flags
    const conversion = { ...(compression && { compression }), ...(format && { format }) }
    await using file = await openImageFile(locator, context, {
      stdin: process.stdin,
      ...(!flags['no-cache'] && { cacheFolder: cacheFolder({ environment: process.env }) }),
      ...conversion,
    })
    const image = selectImage(file, flags.image ?? (locator.kind === 'file' ? locator.image : undefined))
    return await pushedDigest(
      image,
      { conversion, ...(flags.platform && { platform: flags.platform }) },
      context,
    )
  }
}
