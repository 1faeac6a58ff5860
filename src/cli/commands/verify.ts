import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  type Context,
  compareImages,
  type Finding,
  type OpenedImages,
  openImages,
  parseLocator,
  type RegistryClient,
  verifyRoots,
} from '../../index.js'
import { EXIT_CODES } from '../exit-codes.js'
import { transferFlags } from '../image-flags.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'
import { comparisonLines, findingLine, verifiedLine } from '../verify-display.js'

export default class Verify extends LookupCommand {
  static override summary = 'Check that an image is complete, or that two are the same'

  static override description =
    'With two images: the same digest, or the same config and layers in another packaging, is success.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> images.tar --full',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 localhost:5000/app:1.0',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
    other: Args.string({ description: 'another image, to compare it with' }),
  }

  static override flags = {
    ...lookupFlags,
    ...transferFlags,
    full: Flags.boolean({ description: 'Read every blob, and check digests and uncompressed layers too' }),
    referrers: Flags.boolean({ description: 'Check what refers to the image too' }),
    progress: Flags.option({
      options: ['auto', 'plain', 'none'] as const,
      default: 'auto' as const,
      description: 'Whether --full shows each blob that it has read, on standard error; auto: at a terminal',
      helpGroup: 'OUTPUT',
    })(),
    sparse: Flags.boolean({ description: 'Let images of an index be absent' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Verify)
    const { locator, other } = args
    const context = this.createContext()
    await using client = await this.openClient(flags)
    const findings: Finding[] = []
    const isTold = flags.progress === 'plain' || (flags.progress === 'auto' && process.stderr.isTTY)
    const tell = (finding: Finding) => {
      if (finding.type !== 'checked') findings.push(finding)
      if (!flags.json && (finding.type !== 'checked' || isTold)) writeFinding(finding)
    }
    const { full, sparse, referrers, jobs } = flags
    const options = { full, sparse, referrers, jobs, tell }
    await using image = await this.#open(locator, client, flags, context, other === undefined)
    if (other === undefined) {
      const verified = await verifyRoots(image.roots, context, options)
      if (flags.json) this.printJson({ locator, ...verified, findings })
      else process.stdout.write(verifiedLine(verified))
      return endWith(verified.problems === 0)
    }
    await using second = await this.#open(other, client, flags, context, false)
    const roots = [
      { ...image.roots[0], label: locator },
      { ...second.roots[0], label: other },
    ] as const
    for (const root of full || referrers ? roots : []) await verifyRoots([root], context, options)
    const comparison = await compareImages(...roots, context)
    if (flags.json) this.printJson({ locators: [locator, other], ...comparison, findings })
    else process.stdout.write(comparisonLines(comparison))
    endWith(comparison.result !== 'different' && findings.every(({ type }) => type !== 'problem'))
  }

  async #open(
    text: string,
    client: RegistryClient,
    flags: Interfaces.InferredFlags<typeof Verify.flags>,
    context: Context,
    all: boolean,
  ): Promise<OpenedImages> {
    const { image, platform, 'check-tag': checkTag } = flags
    const options = { client, stdin: process.stdin, image, platform, checkTag, all }
    return await openImages(await parseLocator(text, 'registry'), context, options)
  }
}

function writeFinding(finding: Finding): void {
  const stream = finding.type === 'problem' ? process.stdout : process.stderr
  stream.write(findingLine(finding))
}

function endWith(isRight: boolean): void {
  if (!isRight) process.exitCode = EXIT_CODES.corrupt
}
