import { type Command, Plugin } from '@oclif/core'

/** The commands by their ids, `auth:list`; each file is loaded only to run its command. */
export type CommandLoaders = Readonly<Record<string, () => Promise<{ default: Command.Class }>>>

/**
 * What oclif takes the commands from. oclif itself looks for files, and reads how each is to be loaded; in the bundle
 * there are no such files, and it is known beforehand.
 */
export class ProgramPlugin extends Plugin {
  readonly #loaders: CommandLoaders

  /** @param root the folder of package.json and oclif.manifest.json; `pjson` is what the former has */
  constructor(options: { root: string; pjson: Plugin['pjson']; loaders: CommandLoaders }) {
    super({ root: options.root, pjson: options.pjson, isRoot: true, type: 'core' })
    this.#loaders = options.loaders
  }

  override async findCommand(id: string, options: { must: true }): Promise<Command.Class>
  override async findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined>
  override async findCommand(id: string): Promise<Command.Class | undefined> {
    const load = this.#loaders[id]
    if (load === undefined) throw new Error(`oclif.manifest.json names the command ${id}, which is not there`)
    const { default: command } = await load()
    return Object.assign(command, { id, plugin: this })
  }
}
