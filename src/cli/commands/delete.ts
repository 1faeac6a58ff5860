import { Args, Flags } from '@oclif/core'
import {
  createContext,
  type Deletion,
  deleteImages,
  printable,
  RegctlError,
  type TagsOfDigest,
} from '../../index.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'
import { confirm } from '../confirm.js'
import { deleteDocument, deletedLines, deleteQuestion } from '../delete-words.js'

export default class Delete extends BaseCommand {
  static override strict = false

  static override aliases = ['rmi']

  static override hiddenAliases = ['image:delete', 'image:rm', 'manifest:delete', 'tag:delete', 'tag:rm']

  static override summary = 'Delete tags or images of a registry'

  static override description =
    'A tag goes alone, and what it stands for stays. A digest goes with every tag that stands for it. ' +
    'It asks at a terminal, and needs --yes elsewhere. Of an OCI layout a name goes, and the blobs stay.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 --dry-run',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 localhost:5000/ubuntu:latest --yes',
    '<%= config.bin %> <%= command.id %> oci:layout:1.0 --yes',
  ]

  static override args = {
    reference: Args.string({
      description: 'what to delete, with its tag or digest; one or several',
      required: true,
    }),
  }

  static override flags = {
    ...commonFlags,
    ...registryFlags,
    yes: Flags.boolean({ char: 'y', description: 'Do not ask' }),
    'dry-run': Flags.boolean({ description: 'Say what would be deleted, and delete nothing' }),
    'by-replacing': Flags.boolean({
      description:
        'Where the registry deletes no tags: put the tag on an image made for this, and delete that',
    }),
  }

  protected override readonly whenRepeated = 'what is done already is not done again'

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Delete)
    const dryRun = flags['dry-run'] === true
    const asks = flags.yes !== true && !dryRun
    if (asks && process.stdin.isTTY !== true) {
      throw new RegctlError('deleting needs to be confirmed, and there is no terminal to ask at', {
        kind: 'usage',
        code: 'not-confirmed',
        hint: 'Give `--yes` to delete, or `--dry-run` to see what would go',
      })
    }
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    await using client = await this.openClient(flags)
    const results = await deleteImages(argv as string[], context, {
      client,
      dryRun,
      byReplacing: flags['by-replacing'],
      ...(asks && { confirm: (deletion, tags) => this.#ask(deletion, tags) }),
    })
    if (flags.json) this.printJson(deleteDocument(results, dryRun))
    else process.stdout.write(deletedLines(results, dryRun))
    this.reportErrors(
      results.map(({ error }) => error),
      flags,
    )
  }

  #ask(deletion: Deletion, tags: TagsOfDigest | undefined): Promise<boolean> {
    const { signal } = this.interruption
    return confirm(printable(deleteQuestion(deletion, tags)), {
      input: process.stdin,
      output: process.stderr,
      signal,
    })
  }
}
