import { Args, Flags } from '@oclif/core'
import { createContext, parseReference, printable } from '../../index.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'

export default class Tags extends BaseCommand {
  static override aliases = ['ls']

  static override summary = 'List the tags of a repository'

  static override examples = ['<%= config.bin %> <%= command.id %> localhost:5000/ubuntu']

  static override args = {
    repository: Args.string({ description: 'repository, as HOST/NAME', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...registryFlags,
    limit: Flags.integer({ min: 1, helpValue: 'N', description: 'List this many at most' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Tags)
    const { registry, repository } = parseReference(args.repository)
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    await using client = await this.openClient(flags)
    const tags: string[] = []
    const options = flags.limit === undefined ? {} : { limit: flags.limit }
    for await (const tag of client.repository(registry, repository).listTags(context, options)) {
      if (flags.json) tags.push(tag)
      else process.stdout.write(`${printable(tag)}\n`)
    }
    if (flags.json) this.printJson({ repository: `${registry}/${repository}`, tags })
  }
}
