import { Args, Flags } from '@oclif/core'
import {
  flattenReferrers,
  printable,
  readReferrerTree,
  type SubjectNode,
  selectReferrers,
} from '../../index.js'
import { LookupCommand, lookupFlags } from '../lookup-command.js'
import { flatLines, subjectDocument, subjectTree } from '../referrers-display.js'
import { drawTree, treeStyle } from '../tree.js'

export default class Referrers extends LookupCommand {
  static override hiddenAliases = ['artifact:list', 'artifact:tree']

  static override summary = 'Show signatures, SBOMs and attestations of an image'

  static override description =
    "What refers to an image is found by its subject, by cosign's tags and within the index; and what refers to that in turn."

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 --platform linux/arm64',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 --artifact-type application/spdx+json --flat',
  ]

  static override args = {
    locator: Args.string({ description: 'image in a registry, file or folder', required: true }),
  }

  static override flags = {
    ...lookupFlags,
    'artifact-type': Flags.string({
      multiple: true,
      multipleNonGreedy: true,
      helpValue: 'TYPE',
      description: 'Show those of this artifact type or predicate type, and what leads to them',
    }),
    flat: Flags.boolean({ description: 'Print a line for each: its artifact type and its digest' }),
    all: Flags.boolean({ description: "Show an index's images that nothing refers to as well" }),
    'digest-tags': Flags.boolean({
      allowNo: true,
      default: true,
      description: "Look for cosign's tags (sha256-….sig, .att, .sbom) too",
    }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Referrers)
    const { 'artifact-type': types = [], 'digest-tags': digestTags, all, platform } = flags
    const context = this.createContext()
    // The index above a platform's image holds what BuildKit says of it.
    await using image = await this.openImage(args.locator, { ...flags, platform: undefined }, context)
    const whole = await readReferrerTree(image, context, { digestTags, platform })
    const tree = selectReferrers(whole, { types, all })
    if (flags.json) this.printJson({ locator: args.locator, ...subjectDocument(tree) })
    else if (flags.flat) process.stdout.write(flatLines(flattenReferrers(tree, types)))
    else if (isBare(tree) && !all) this.log(`nothing refers to ${printable(args.locator)}`)
    else process.stdout.write(drawTree(subjectTree(tree, printable(args.locator)), treeStyle(process.env)))
  }
}

function isBare({ referrers, children }: SubjectNode): boolean {
  return referrers.length === 0 && children.length === 0
}
