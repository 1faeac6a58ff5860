import { readFileSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { messageOf, systemCodeOf } from '../errors.js'
import { ConfigError } from './insecure-registries.js'

/** The most bytes of a settings file or a certificate that are read (rule R236). */
const FILE_LIMIT_BYTES = 4 * 1024 * 1024

/** Where settings are looked for. */
export interface ConfigPlaces {
  /** `HOME` and `XDG_CONFIG_HOME` are read from it, and the variables that name files. */
  environment: NodeJS.ProcessEnv
  /** The folder of the whole system's settings. `/etc` when not given. */
  systemFolder?: string | undefined
}

/** The folder of a user's settings: `$XDG_CONFIG_HOME`, else `~/.config`. */
export function userConfigFolder(environment: NodeJS.ProcessEnv): string {
  const folder = environment.XDG_CONFIG_HOME
  if (folder !== undefined && folder !== '') return folder
  return join(environment.HOME ?? environment.USERPROFILE ?? homedir(), '.config')
}

/** The folder of the whole system's settings. */
export function systemConfigFolder(places: ConfigPlaces): string {
  return places.systemFolder ?? '/etc'
}

/**
 * Reads a file that may well be absent. Settings are small and at hand: to load the promises of Node's file system takes
 * longer than to wait for all of them.
 *
 * @returns undefined when there is none
 * @throws ConfigError `unreadable-file`, which names the file, when it can't be read or is too large
 */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    const status = statSync(path, { throwIfNoEntry: false })
    if (status === undefined) return undefined
    const { size } = status
    if (size > FILE_LIMIT_BYTES) throw unreadable(path, `it is larger than ${FILE_LIMIT_BYTES} bytes`)
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (error instanceof ConfigError) throw error
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw unreadable(path, code ?? messageOf(error), error)
  }
}

/**
 * Reads a file that somebody named.
 *
 * @throws ConfigError of kind `not-found` when it is not there, `unreadable-file` when it can't be read
 */
export async function readNamed(path: string, what: string): Promise<string> {
  const text = await readIfThere(path)
  if (text !== undefined) return text
  throw new ConfigError(`there is no ${what} ${path}`, { kind: 'not-found', code: 'no-such-file' })
}

function unreadable(path: string, why: string, cause?: unknown): ConfigError {
  return new ConfigError(`cannot read ${path}: ${why}`, { kind: 'failed', code: 'unreadable-file', cause })
}
