import { Args, Flags } from '@oclif/core'
import { createContext, type Descriptor, parseLocator, type TagResult, tagImage } from '../../index.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'
import { fileFlags } from '../image-flags.js'
import { pushedLine } from '../progress/words.js'
import { describeError } from '../report-error.js'

export default class Tag extends BaseCommand {
  static override strict = false

  static override hiddenAliases = ['image:tag']

  static override summary = 'Give an image new names where it is'

  static override description =
    'NEW is a tag beside the image, or a reference in the same registry, which mounts what the image is made of: ' +
    'nothing is transferred. In an OCI layout it is a tag.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 1.0.1 stable',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 localhost:5000/mirror/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 stable',
  ]

  static override args = {
    image: Args.string({ description: 'image in a registry or an OCI layout', required: true }),
    new: Args.string({ description: 'new names, one or several', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...fileFlags,
    ...registryFlags,
    'no-overwrite': Flags.boolean({ description: 'Refuse a tag that stands for something else already' }),
    'dry-run': Flags.boolean({ description: 'Say what would be tagged, and write nothing' }),
    quiet: Flags.boolean({ char: 'q', description: 'Print only the digest reference', helpGroup: 'OUTPUT' }),
  }

  protected override readonly whenRepeated = 'what is done already is not done again'

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Tag)
    const [image = '', ...names] = argv as string[]
    const locator = await parseLocator(image, 'registry')
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    await using client = await this.openClient(flags)
    const { descriptor, results } = await tagImage(locator, names, context, {
      client,
      stdin: process.stdin,
      image: flags.image,
      noOverwrite: flags['no-overwrite'],
      dryRun: flags['dry-run'],
    })
    if (flags.json) this.printJson(documentOf(descriptor, results, flags['dry-run'] === true))
    else if (flags.quiet) process.stdout.write(quietLines(descriptor, results))
    else process.stdout.write(results.map(result => lineOf(result, descriptor, flags['dry-run'])).join(''))
    this.reportErrors(
      results.map(({ error }) => error),
      flags,
    )
  }
}

function quietLines({ digest }: Descriptor, results: readonly TagResult[]): string {
  const places = new Set(results.filter(({ state }) => state !== undefined).map(({ place }) => place))
  return [...places].map(place => `${place}@${digest}\n`).join('')
}

function lineOf({ text, state }: TagResult, { digest, size }: Descriptor, dryRun: boolean): string {
  if (state === undefined) return ''
  const line = pushedLine(text, digest, size)
  if (state === 'tagged' && !dryRun) return line
  return line.replace(/\n$/, state === 'unchanged' ? ' (unchanged)\n' : ' (dry run)\n')
}

function documentOf({ mediaType, digest, size }: Descriptor, results: readonly TagResult[], dryRun: boolean) {
  return {
    mediaType,
    digest,
    size,
    dryRun,
    names: results.map(({ text, place, tag, state, error }) => ({
      name: text,
      place,
      tag,
      ...(state === undefined ? { state: 'failed', error: describeError(error) } : { state }),
    })),
  }
}
