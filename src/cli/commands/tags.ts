import { Args } from '@oclif/core'
import { createContext, labelOf, listTags, parseLocator } from '../../index.js'
import { ListCommand, listFlags } from '../list-command.js'

export default class Tags extends ListCommand {
  static override aliases = ['ls']

  static override hiddenAliases = ['tag:list', 'tag:ls']

  static override summary = 'List the tags of a repository'

  static override description =
    'Of a local file or folder it lists the names of its images. Nothing is hidden: signatures and lists of referrers ' +
    'that are kept under tags (sha256-…) are there as well, and --exclude takes them out.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/ubuntu',
    "<%= config.bin %> <%= command.id %> localhost:5000/app --include '1.*' --exclude 'sha256-*' --limit 10",
    '<%= config.bin %> <%= command.id %> images.tar',
  ]

  static override args = {
    repository: Args.string({ description: 'repository, as HOST/NAME, or a file or folder', required: true }),
  }

  static override flags = listFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Tags)
    const { include, exclude, limit } = flags
    const locator = await parseLocator(args.repository, 'registry')
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    await using client = await this.openClient(flags)
    const tags = listTags(locator, context, { client, stdin: process.stdin, include, exclude, limit })
    const place = labelOf(locator)
    if (!flags.json) await this.printLines(tags)
    else
      await this.printJsonList(
        locator.kind === 'registry' ? { repository: place } : { file: place },
        'tags',
        tags,
      )
  }
}
