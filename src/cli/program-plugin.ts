import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Command, Plugin, run } from '@oclif/core'
import type { CommandOutline, ProgramParts } from './program-parts.js'

/** What help alone has to know of a command. It is most of oclif.manifest.json, and read when it is asked for. */
type Details = Pick<Command.Cached, 'description' | 'examples' | 'flags'>

/** Has oclif find out what parameters mean, and do it. */
export async function runByOclif(parameters: string[], parts: ProgramParts): Promise<void> {
  const plugin = new ProgramPlugin(parts)
  await plugin.load()
  await run(parameters, { root: parts.root, pjson: parts.pjson, plugins: new Map([[plugin.name, plugin]]) })
}

/**
 * What oclif takes the commands from. oclif itself looks for files, and reads how each is to be loaded and all that its
 * help says; in the bundle there are no such files, and few runs show help.
 */
export class ProgramPlugin extends Plugin {
  readonly #parts: ProgramParts
  #details: Readonly<Record<string, Details>> | undefined

  constructor(parts: ProgramParts) {
    const { commands: _, ...oclif } = parts.pjson.oclif
    super({
      root: parts.root,
      pjson: { ...parts.pjson, oclif },
      isRoot: true,
      type: 'core',
      ignoreManifest: true,
    })
    this.#parts = parts
  }

  override async load(): Promise<void> {
    await super.load()
    const outlines = await this.#parts.outlines()
    this.commands = outlines.map(outline => this.#loadable(outline))
  }

  override async findCommand(id: string, options: { must: true }): Promise<Command.Class>
  override async findCommand(id: string, options?: { must: boolean }): Promise<Command.Class | undefined>
  override async findCommand(id: string): Promise<Command.Class | undefined> {
    const load = this.#parts.loaders[id]
    if (load === undefined) throw new Error(`oclif.manifest.json names the command ${id}, which is not there`)
    const { default: command } = await load()
    return Object.assign(command, { id, plugin: this })
  }

  #loadable(outline: CommandOutline): Command.Loadable {
    const { id } = outline
    const details = () => this.#detailsOf(id)
    return {
      ...outline,
      get description() {
        return details().description
      },
      get examples() {
        return details().examples
      },
      get flags() {
        return details().flags
      },
      load: () => this.findCommand(id, { must: true }),
    }
  }

  #detailsOf(id: string): Details {
    if (this.#details === undefined) {
      const text = readFileSync(join(this.#parts.root, 'oclif.manifest.json'), 'utf8')
      this.#details = (JSON.parse(text) as { commands: Record<string, Details> }).commands
    }
    const details = this.#details[id]
    if (details === undefined) throw new Error(`oclif.manifest.json does not name the command ${id}`)
    return details
  }
}
