import { Args } from '@oclif/core'
import { parseJson, readConfig } from '../../index.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'

export default class Config extends LookupCommand {
  static override hiddenAliases = ['image:config']

  static override summary = "Print an image's config exactly as it is stored"

  static override description = 'Of an index, the image for this machine is taken.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> image.tar --json',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = lookupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Config)
    const context = this.createContext()
    await using image = await this.openImage(args.locator, flags, context, 'host')
    const { descriptor, bytes } = await readConfig(image, context)
    if (flags.json) {
      const { mediaType, digest, size } = descriptor
      this.printJson({ mediaType, digest, size, config: parseJson(bytes, `config ${digest}`) })
    } else this.printBytes(bytes)
  }
}
