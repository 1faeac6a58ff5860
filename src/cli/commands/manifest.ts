import { Args } from '@oclif/core'
import { parseJson } from '../../index.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'

export default class Manifest extends LookupCommand {
  static override hiddenAliases = ['image:manifest', 'manifest:get', 'manifest:inspect']

  static override summary = 'Print a manifest or index exactly as it is stored'

  static override description = 'For a docker-archive it is the manifest that a push would make.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 --platform linux/arm64',
    '<%= config.bin %> <%= command.id %> image.tar --json',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = lookupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Manifest)
    const context = this.createContext()
    await using image = await this.openImage(args.locator, flags, context)
    const { descriptor, bytes } = await image.source.getManifest(image.root, context)
    if (flags.json) {
      const { mediaType, digest, size } = descriptor
      this.printJson({ mediaType, digest, size, manifest: parseJson(bytes, `manifest ${digest}`) })
    } else this.printBytes(bytes)
  }
}
