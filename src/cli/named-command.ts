import type { Interfaces } from '@oclif/core'
import type { CommandLoaders, ProgramParts } from './program-parts.js'

/** A command that the command line names by what it is called, and what follows the name. */
export interface NamedCommand {
  id: string
  load: CommandLoaders[string]
  parameters: string[]
}

/**
 * The command that parameters name beyond doubt. Undefined for aliases, topics, help and what is no command: oclif then finds
 * out what is meant.
 */
export function findNamedCommand(parameters: string[], parts: ProgramParts): NamedCommand | undefined {
  const [first = '', second = ''] = parameters
  const long = `${first}:${second}`
  const [id, words] = parts.longNames.includes(long) ? [long, 2] : [first, 1]
  const load = Object.hasOwn(parts.loaders, id) ? parts.loaders[id] : undefined
  // Help tells of all commands.
  if (load === undefined || id === 'help' || parameters.includes('--help')) return undefined
  return { id, load, parameters: parameters.slice(words) }
}

/**
 * Has oclif run a command as it does by itself once it has found it, which it looks for among all commands, plugins and
 * settings: that takes longer than most commands take to begin.
 */
export async function runNamedCommand(
  { id, load, parameters }: NamedCommand,
  parts: ProgramParts,
): Promise<void> {
  const { default: command } = await load()
  await Object.assign(command, { id }).run(parameters, configOf(parts))
}

/**
 * What a command asks of oclif's settings: what the program is called, and hooks, which there are none of. In the bundle a
 * command takes them as they are.
 */
function configOf({ root, pjson }: ProgramParts): Interfaces.Config {
  const { name, version } = pjson
  const bin = pjson.oclif.bin ?? name
  const asked: AskedConfig = {
    bin,
    name,
    pjson,
    root,
    runHook: async () => ({ failures: [], successes: [] }),
    scopedEnvVarKeys: key => [`${bin}_${key}`.toUpperCase()],
    topicSeparator: ':',
    userAgent: userAgentOf(pjson),
    version,
  }
  return asked as Interfaces.Config
}

/** All that oclif and our commands ask for: whatever else a command came to ask for would be undefined. */
type AskedConfig = Pick<
  Interfaces.Config,
  | 'bin'
  | 'name'
  | 'pjson'
  | 'root'
  | 'runHook'
  | 'scopedEnvVarKeys'
  | 'topicSeparator'
  | 'userAgent'
  | 'version'
>

/** What oclif calls the program and what it runs on, and prints for `--version`. */
export function userAgentOf({ name, version }: ProgramParts['pjson']): string {
  const { platform, arch } = process
  return `${name}/${version} ${platform}-${arch === 'ia32' ? 'x86' : arch} node-${process.version}`
}
