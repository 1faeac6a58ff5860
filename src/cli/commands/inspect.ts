import { Args } from '@oclif/core'
import { formatReference, inspect, parseLocator } from '../../index.js'
import { inspectScreen } from '../inspect-screen.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'
import { treeStyle } from '../tree.js'

export default class Inspect extends LookupCommand {
  static override hiddenAliases = ['image:inspect']

  static override summary = 'Show what an image is made of'

  static override description =
    "Of an index that is its platforms, and the image for this machine or for --platform. No layer is read, and a file's " +
    'layers are not compressed.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 --platform linux/arm64',
    "<%= config.bin %> <%= command.id %> images.tar --image '#1' --json",
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = lookupFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Inspect)
    const { platform } = flags
    const context = this.createContext()
    const locator = await parseLocator(args.locator, 'registry')
    // All of an index is shown: its image is chosen afterwards.
    await using opened = await this.openImage(args.locator, { ...flags, platform: undefined }, context)
    const names =
      locator.kind === 'registry'
        ? [formatReference({ ...locator.reference, ...(opened.tags[0] && { tag: opened.tags[0] }) })]
        : opened.names
    const [name] = names
    const found = await inspect(opened, context, { platform })
    if (flags.json) {
      this.printJson({ locator: args.locator, ...(name !== undefined && { name }), ...found })
      return
    }
    const screen = inspectScreen(found, {
      names,
      ...(locator.kind !== 'registry' && { file: args.locator, image: flags.image }),
      // A terminal that doesn't know its width says 0.
      width: process.stdout.columns || DEFAULT_WIDTH,
      now: new Date(),
      style: process.env.TERM === 'dumb' ? 'ascii' : treeStyle(process.env),
    })
    process.stdout.write(screen)
  }
}

const DEFAULT_WIDTH = 80
