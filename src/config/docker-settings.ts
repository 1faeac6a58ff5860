import { join } from 'node:path'
import { parseJsonObject } from '../content/manifest.js'
import { messageOf } from '../errors.js'
import { type ConfigPlaces, readIfThere, systemConfigFolder, userConfigFolder } from './config-files.js'
import { ConfigError, InsecureRegistries } from './insecure-registries.js'

/** What Docker's `daemon.json` and our own settings file say of registries. */
export interface DockerSettings {
  /** `HOST[:PORT]` or CIDR (rule R148). */
  readonly insecureRegistries: readonly string[]
  /** Mirrors of Docker Hub, in the order in which they are asked (rule R156). */
  readonly hubMirrors: readonly HubMirror[]
}

/** A mirror of Docker Hub. */
export interface HubMirror {
  readonly host: string
  /** It was given as `http://…`. */
  readonly isClearText: boolean
  /** The file that names it. */
  readonly from: string
}

/** Where our own settings are. */
export function settingsPath(places: ConfigPlaces): string {
  return join(userConfigFolder(places.environment), 'regctl', 'config.json')
}

/**
 * Reads `insecure-registries` and `registry-mirrors` of our own settings, of a rootless Docker's `daemon.json` and of
 * the system's (rule R159). What is no good in Docker's files is left out with a warning: they were made for somebody
 * else.
 *
 * @throws ConfigError `bad-settings` for our own file, when it is no JSON or an entry makes no sense
 */
export async function readDockerSettings(
  places: ConfigPlaces,
  warn: (message: string) => void,
): Promise<DockerSettings> {
  const own = settingsPath(places)
  const docker = [
    join(userConfigFolder(places.environment), 'docker', 'daemon.json'),
    join(systemConfigFolder(places), 'docker', 'daemon.json'),
  ]
  const found = [
    await readSettings(own, warn, problem => {
      throw new ConfigError(`cannot use ${own}: ${problem}`, { kind: 'usage', code: 'bad-settings' })
    }),
  ]
  for (const path of docker) {
    found.push(await readSettings(path, warn, problem => warn(`${path} is left out in part: ${problem}`)))
  }
  return {
    insecureRegistries: [...new Set(found.flatMap(settings => settings.insecureRegistries))],
    hubMirrors: found.flatMap(settings => settings.hubMirrors),
  }
}

async function readSettings(
  path: string,
  warn: (message: string) => void,
  fail: (problem: string) => void,
): Promise<DockerSettings> {
  const none = { insecureRegistries: [], hubMirrors: [] }
  let document: Record<string, unknown>
  try {
    const text = await readIfThere(path)
    if (text === undefined) return none
    document = parseJsonObject(Buffer.from(text), 'it')
  } catch (error) {
    fail(messageOf(error))
    return none
  }
  const insecureRegistries = stringsOf(document, 'insecure-registries', fail).flatMap(entry => {
    const why = whyNoInsecureRegistry(entry)
    if (why !== undefined) fail(why)
    else if (/^https?:\/\//i.test(entry))
      warn(`${path}: the scheme of the insecure registry ${entry} is left out`)
    return why === undefined ? [entry] : []
  })
  const hubMirrors = stringsOf(document, 'registry-mirrors', fail).flatMap(entry => {
    const mirror = parseMirror(entry, path)
    if (mirror === undefined)
      fail(`the registry mirror ${withoutUser(entry)} is no http:// or https:// URL of a host`)
    return mirror === undefined ? [] : [mirror]
  })
  return { insecureRegistries, hubMirrors }
}

function stringsOf(
  document: Record<string, unknown>,
  key: string,
  fail: (problem: string) => void,
): string[] {
  const value = document[key]
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.every(entry => typeof entry === 'string')) return value
  fail(`${key} is no list of strings`)
  return []
}

function whyNoInsecureRegistry(entry: string): string | undefined {
  try {
    void new InsecureRegistries([entry])
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

/** A URL of a host alone: neither user, path, query nor fragment (rule R156). */
function parseMirror(entry: string, from: string): HubMirror | undefined {
  if (!URL.canParse(entry)) return undefined
  const { protocol, host, username, password, pathname, search, hash } = new URL(entry)
  const isBare = username === '' && password === '' && pathname === '/' && search === '' && hash === ''
  if (!isBare || host === '' || (protocol !== 'http:' && protocol !== 'https:')) return undefined
  return { host, isClearText: protocol === 'http:', from }
}

function withoutUser(entry: string): string {
  return JSON.stringify(entry.replace(/\/\/[^/@]*@/, '//'))
}
