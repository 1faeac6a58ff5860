import type { Command, Plugin } from '@oclif/core'

/** The commands by their ids, `auth:list`; each file is loaded only to run its command. */
export type CommandLoaders = Readonly<Record<string, () => Promise<{ default: Command.Class }>>>

/** What finding a command takes, from oclif.manifest.json. */
export type CommandOutline = Pick<
  Command.Cached,
  'aliases' | 'args' | 'hidden' | 'hiddenAliases' | 'id' | 'pluginName' | 'pluginType' | 'strict' | 'summary'
>

/** What the program is made of. */
export interface ProgramParts {
  /** The folder of package.json and oclif.manifest.json, absolute. */
  root: string
  /** What package.json has. */
  pjson: Plugin['pjson']
  /** Read only where a command has to be found. */
  outlines(): Promise<readonly CommandOutline[]>
  /** The names and aliases of several words: `auth:list`. */
  longNames: readonly string[]
  loaders: CommandLoaders
}
