import { Args, Flags } from '@oclif/core'
import { exportImage, RegctlError } from '../../index.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'

export default class Export extends LookupCommand {
  static override summary = 'Write the root file system of an image as a tar, or one file of it'

  static override description =
    `The layers are put on top of each other, as docker export does it for a new container. Of an index, the image for this machine is taken.

A second argument that is -, begins with ./ or ../, or ends in .tar, .tar.gz or .tgz is the file to write, gzip-compressed for the last two; any other is a path in the image, whose content goes to standard output, or to the third argument. With a third argument or --output the second is always a path in the image; a folder there gives a tar of it.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 rootfs.tar',
    '<%= config.bin %> <%= command.id %> image.tar | tar -t',
    '<%= config.bin %> <%= command.id %> image.tar ./rootfs --json',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
    path: Args.string({ description: 'path in the image, or the file to write: see below', required: false }),
    file: Args.string({ description: 'file to write (default: standard output)', required: false }),
  }

  static override flags = {
    ...lookupFlags,
    output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'File to write' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Export)
    const { path, file } = chooseOutput(args.path, args.file, flags.output)
    if (flags.json && file === undefined) {
      throw new RegctlError('the result and --json cannot both go to standard output', {
        kind: 'usage',
        code: 'output-is-stdout',
        hint: 'Name a file to write with `--output`',
      })
    }
    const context = this.createContext()
    await using image = await this.openImage(args.locator, flags, context, 'host')
    const { kind: _, ...written } = await exportImage(
      image,
      { path, output: file ?? process.stdout },
      context,
    )
    if (flags.json) this.printJson({ file, ...written, ...(path !== undefined && { path }) })
  }
}

/** Tells the file to write from the path in the image. The file is undefined for standard output. */
function chooseOutput(
  second: string | undefined,
  third: string | undefined,
  output: string | undefined,
): { path: string | undefined; file: string | undefined } {
  if (third !== undefined && output !== undefined) {
    throw new RegctlError(`both "${third}" and --output name a file to write`, {
      kind: 'usage',
      code: 'two-outputs',
    })
  }
  const stated = third ?? output
  const isFile =
    stated === undefined && second !== undefined && /^-$|^\.\.?\/|\.tar$|\.tar\.gz$|\.tgz$/.test(second)
  const file = isFile ? second : stated
  return { path: isFile ? undefined : second, file: file === '-' ? undefined : file }
}
