import { Args } from '@oclif/core'
import { chooseNames, createContext, parseRegistry } from '../../index.js'
import { ListCommand, listFlags } from '../list-command.js'

export default class Catalog extends ListCommand {
  static override hiddenAliases = ['repo:list', 'repo:ls']

  static override summary = 'List the repositories of a registry'

  static override description =
    "This is Docker's catalog, which public registries don't offer; what it lists depends on the login."

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000',
    "<%= config.bin %> <%= command.id %> localhost:5000 --include 'mirror/*'",
  ]

  static override args = {
    registry: Args.string({ description: 'registry, as HOST[:PORT]', required: true }),
  }

  static override flags = listFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Catalog)
    const { include, exclude, limit } = flags
    const registry = parseRegistry(args.registry)
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    await using client = await this.openClient(flags)
    const names = chooseNames(options => client.listRepositories(registry, context, options), {
      include,
      exclude,
      limit,
    })
    if (flags.json) await this.printJsonList({ registry }, 'repositories', names)
    else await this.printLines(names)
  }
}
