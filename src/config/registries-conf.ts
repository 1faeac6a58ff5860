import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { isObject } from '../content/manifest.js'
import { messageOf } from '../errors.js'
import {
  type ConfigPlaces,
  readIfThere,
  readNamed,
  systemConfigFolder,
  userConfigFolder,
} from './config-files.js'
import { ConfigError } from './insecure-registries.js'

/** One `[[registry]]` of the containers tools' registries.conf (version 2; rule R158). */
export interface RegistryRule {
  /** `host[:port][/path]`, or `*.example.com` for every host below that one. */
  readonly prefix: string
  /** What takes the place of the prefix; undefined when nothing does. */
  readonly location: string | undefined
  readonly insecure: boolean
  readonly blocked: boolean
  readonly mirrors: readonly MirrorRule[]
  /** The file, for messages. */
  readonly from: string
}

/** One `[[registry.mirror]]`. */
export interface MirrorRule {
  /** What takes the place of the prefix. */
  readonly location: string
  readonly insecure: boolean
  /** For which manifests it is asked. */
  readonly reads: MirrorReads
}

/** Whether a mirror is asked for manifests by digest, by tag, or by both. */
export type MirrorReads = 'all' | 'digest-only' | 'tag-only'

/**
 * Reads registries.conf: the file that `CONTAINERS_REGISTRIES_CONF` names, else the user's, else the system's, and then
 * the files in the folders `registries.conf.d`, of which a later one replaces what an earlier one says of a prefix.
 *
 * @throws ConfigError `bad-registries-conf`, which names the file: what it blocks must not be overlooked
 */
export async function readRegistriesConf(places: ConfigPlaces): Promise<RegistryRule[]> {
  const rules = new Map<string, RegistryRule>()
  for (const { path, text } of await readFiles(places)) {
    for (const rule of await parseRegistriesConf(text, path)) rules.set(rule.prefix, rule)
  }
  return [...rules.values()]
}

async function readFiles(places: ConfigPlaces): Promise<{ path: string; text: string }[]> {
  const named = places.environment.CONTAINERS_REGISTRIES_CONF
  if (named !== undefined && named !== '') {
    return [{ path: named, text: await readNamed(named, 'registries.conf') }]
  }
  const user = join(userConfigFolder(places.environment), 'containers')
  const system = join(systemConfigFolder(places), 'containers')
  const files: { path: string; text: string }[] = []
  const add = async (path: string): Promise<boolean> => {
    const text = await readIfThere(path)
    if (text !== undefined) files.push({ path, text })
    return text !== undefined
  }
  if (!(await add(join(user, 'registries.conf')))) await add(join(system, 'registries.conf'))
  for (const folder of [join(system, 'registries.conf.d'), join(user, 'registries.conf.d')]) {
    for (const name of namesIn(folder)
      .filter(entry => entry.endsWith('.conf'))
      .sort())
      await add(join(folder, name))
  }
  return files
}

/** None when it can't be read. */
function namesIn(folder: string): string[] {
  if (!existsSync(folder)) return []
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}

/** @throws ConfigError `bad-registries-conf` */
export async function parseRegistriesConf(text: string, from: string): Promise<RegistryRule[]> {
  if (!MAY_HAVE_RULES.test(text)) return []
  const fail = (why: string, cause?: unknown) =>
    new ConfigError(`cannot use ${from}: ${why}`, { kind: 'failed', code: 'bad-registries-conf', cause })
  const { parse } = await import('smol-toml')
  let document: unknown
  try {
    document = parse(text)
  } catch (error) {
    throw fail(messageOf(error).split('\n')[0] ?? 'it is no TOML', error)
  }
  const entries = isObject(document) ? (document.registry ?? []) : []
  if (!Array.isArray(entries)) throw fail('registry is no list')
  return entries.map(entry => readRule(entry, from, fail))
}

/** Most systems have the file with nothing but comments and short names in it. */
const MAY_HAVE_RULES = /^[ \t[]*registry/m

function readRule(entry: unknown, from: string, fail: (why: string) => ConfigError): RegistryRule {
  if (!isObject(entry)) throw fail('a registry is no table')
  const location = stringOf(entry, 'location', fail)
  const prefix = stringOf(entry, 'prefix', fail) ?? location
  if (prefix === undefined) throw fail('a registry has neither a prefix nor a location')
  if (location === undefined && !prefix.startsWith('*.')) throw fail(`the registry ${prefix} has no location`)
  const mirrors = entry.mirror ?? []
  if (!Array.isArray(mirrors)) throw fail(`the mirrors of ${prefix} are no list`)
  const byDigest = isOn(entry, 'mirror-by-digest-only', fail)
  return {
    prefix,
    location,
    insecure: isOn(entry, 'insecure', fail),
    blocked: isOn(entry, 'blocked', fail),
    mirrors: mirrors.map(mirror => readMirror(mirror, prefix, byDigest, fail)),
    from,
  }
}

function readMirror(
  entry: unknown,
  prefix: string,
  byDigest: boolean,
  fail: (why: string) => ConfigError,
): MirrorRule {
  const location = isObject(entry) ? stringOf(entry, 'location', fail) : undefined
  if (!isObject(entry) || location === undefined) throw fail(`a mirror of ${prefix} has no location`)
  const reads = stringOf(entry, 'pull-from-mirror', fail) ?? (byDigest ? 'digest-only' : 'all')
  if (reads !== 'all' && reads !== 'digest-only' && reads !== 'tag-only') {
    throw fail(`pull-from-mirror of ${location} is none of all, digest-only and tag-only`)
  }
  return { location, insecure: isOn(entry, 'insecure', fail), reads }
}

function stringOf(
  entry: Record<string, unknown>,
  key: string,
  fail: (why: string) => ConfigError,
): string | undefined {
  const value = entry[key]
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') throw fail(`${key} is no string`)
  return value.replace(/\/$/, '')
}

function isOn(entry: Record<string, unknown>, key: string, fail: (why: string) => ConfigError): boolean {
  const value = entry[key] ?? false
  if (typeof value !== 'boolean') throw fail(`${key} is neither true nor false`)
  return value
}
