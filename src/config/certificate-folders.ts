import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '../errors.js'
import { type ConfigPlaces, readNamed, systemConfigFolder, userConfigFolder } from './config-files.js'
import { ConfigError } from './insecure-registries.js'
import { readCertificates } from './root-certificates.js'

/** What one host is trusted by, and convinced with, beyond what all hosts are. */
export interface HostCertificates {
  /** The folder, for messages. */
  readonly from: string
  /** Certificates of authorities, each in PEM. */
  readonly authorities: readonly string[]
  /** Client certificates with their keys, in PEM. */
  readonly clients: readonly ClientCertificate[]
}

/** A client certificate and its key, in PEM. */
export interface ClientCertificate {
  readonly certificate: string
  readonly key: string
}

/**
 * Where a host's folder may be: the user's before the system's (rules R154, R155). The first that is there counts, and no
 * other.
 */
export function certificateFolders(host: string, places: ConfigPlaces): string[] {
  const user = userConfigFolder(places.environment)
  const system = systemConfigFolder(places)
  const parents = [
    join(user, 'containers'),
    join(user, 'docker'),
    join(system, 'containers'),
    join(system, 'docker'),
  ]
  return parents.map(parent => join(parent, 'certs.d', host))
}

/**
 * Reads a host's `certs.d` folder: `*.crt` is an authority, `*.cert` and the `*.key` of the same name are a client
 * certificate; other files don't count (rule R154).
 *
 * @param host as it stands in references, with its port where it has one
 * @returns undefined when the host has no folder
 * @throws ConfigError `incomplete-client-certificate` when a certificate has no key or a key no certificate,
 *   `bad-certificate` when a file holds none, `unreadable-file`
 */
export async function readHostCertificates(
  host: string,
  places: ConfigPlaces,
): Promise<HostCertificates | undefined> {
  // A name that is no folder's name never gets into a path.
  if (!/^[\w.:[\]-]+$/.test(host) || /^\.\.?$/.test(host)) return undefined
  for (const folder of certificateFolders(host, places)) {
    const names = await list(folder)
    if (names !== undefined) return await readFolder(folder, names.sort())
  }
  return undefined
}

async function list(folder: string): Promise<string[] | undefined> {
  try {
    return await readdir(folder)
  } catch (error) {
    const code = systemCodeOf(error)
    // What this user may not look into was made for somebody else.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES' || code === 'EINVAL') return undefined
    throw error
  }
}

async function readFolder(folder: string, names: readonly string[]): Promise<HostCertificates> {
  const authorities: string[] = []
  const clients: ClientCertificate[] = []
  for (const name of names) {
    const path = join(folder, name)
    if (name.endsWith('.crt')) authorities.push(...(await readCertificates(path)))
    if (name.endsWith('.cert')) {
      const key = name.replace(/\.cert$/, '.key')
      if (!names.includes(key)) throw incomplete(path, `there is no ${key} beside it`)
      const certificate = await readNamed(path, 'client certificate')
      clients.push({ certificate, key: await readNamed(join(folder, key), 'client key') })
    }
    if (name.endsWith('.key')) {
      const certificate = name.replace(/\.key$/, '.cert')
      if (!names.includes(certificate)) throw incomplete(path, `there is no ${certificate} beside it`)
    }
  }
  return { from: folder, authorities, clients }
}

function incomplete(path: string, why: string): ConfigError {
  return new ConfigError(`cannot use ${path}: ${why}`, {
    kind: 'failed',
    code: 'incomplete-client-certificate',
    hint: 'A client certificate is NAME.cert with its key in NAME.key; an authority is NAME.crt',
  })
}
