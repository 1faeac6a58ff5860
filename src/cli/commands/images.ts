import { Args, Flags, type Interfaces } from '@oclif/core'
import { type ListedImage, listImages, openImageFile, parseLocalLocator, printable } from '../../index.js'
import { commonFlags } from '../base-command.js'
import { timeAgo } from '../elapsed.js'
import { imageName } from '../image-name.js'
import { LookupCommand } from '../lookup-command.js'
import { formatBytes } from '../progress/bytes.js'
import { formatTable } from '../table.js'

export default class Images extends LookupCommand {
  static override summary = 'List the images of a local file or folder'

  static override description =
    'It is the table that docker images prints. SIZE is that of the layers as they lie in the file.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> images.tar',
    '<%= config.bin %> <%= command.id %> oci:layout --digests',
  ]

  static override args = {
    archive: Args.string({ description: 'image file or folder, or - for standard input', required: true }),
  }

  static override flags = {
    ...commonFlags,
    digests: Flags.boolean({ description: 'Show the digests of manifests and indexes' }),
    'no-trunc': Flags.boolean({ description: 'Show image IDs in full' }),
    quiet: Flags.boolean({ char: 'q', description: 'Print only image IDs' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Images)
    const context = this.createContext()
    const locator = await parseLocalLocator(args.archive)
    await using file = await openImageFile(locator, context, { stdin: process.stdin })
    const images: ListedImage[] = []
    for await (const image of listImages(file, context)) images.push(image)
    if (flags.json) this.printJson({ file: file.label, format: file.format, images })
    else if (flags.quiet) for (const { id } of images) process.stdout.write(`${shownId(id, flags)}\n`)
    else process.stdout.write(formatTable(tableOf(images, flags)))
  }
}

type ImagesFlags = Interfaces.InferredFlags<typeof Images.flags>

function tableOf(images: readonly ListedImage[], flags: ImagesFlags): string[][] {
  const withDigest = (digest: string) => (flags.digests ? [digest] : [])
  const head = ['REPOSITORY', 'TAG', ...withDigest('DIGEST'), 'IMAGE ID', 'CREATED', 'SIZE']
  const now = new Date()
  const rows = images.flatMap(image => {
    const names = image.names.length === 0 ? [undefined] : image.names
    return names.map(name => {
      const { repository, tag } = imageName(name)
      const size = image.size === undefined ? 'N/A' : formatBytes(image.size)
      const rest = [shownId(image.id, flags), timeAgo(image.created, now), size]
      return [repository, tag, ...withDigest(image.digest ?? '<none>'), ...rest].map(printable)
    })
  })
  return [head, ...rows]
}

function shownId(id: string | undefined, flags: ImagesFlags): string {
  if (id === undefined) return '<none>'
  return flags['no-trunc'] ? id : id.replace(/^sha\d+:/, '').slice(0, 12)
}
