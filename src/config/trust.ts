import { createSecureContext, rootCertificates, type SecureContext } from 'node:tls'
import { messageOf } from '../errors.js'
import { type ClientCertificate, type HostCertificates, readHostCertificates } from './certificate-folders.js'
import { type ConfigPlaces, readNamed } from './config-files.js'
import { ConfigError } from './insecure-registries.js'
import { readCertificates, systemRoots } from './root-certificates.js'

/** What TLS to a host is spoken with. */
export interface TlsSettings {
  /** Equal for hosts with equal settings, so that they can share connections. */
  readonly id: string
  /** Undefined where Node's own roots do, and there is no client certificate. */
  readonly context: SecureContext | undefined
  /** The host's `certs.d` folder: the only one that counts for it. Undefined when it has none. */
  readonly folder?: string | undefined
}

/** Says what TLS to a host is spoken with. */
export interface Trust {
  /**
   * @param host `host` or `host:port`; a registry as it stands in references
   * @param isNamed whether the user named this registry. Only then it is shown a client certificate: a host that a
   *   registry pointed to is not (rule R209)
   * @throws ConfigError when files that concern the host are no good
   */
  settingsFor(host: string, isNamed: boolean): Promise<TlsSettings>
}

/** Files with which hosts are trusted, besides those that are looked for. */
export interface TrustOptions extends ConfigPlaces {
  /** PEM with certificates of authorities, for all hosts of the run. */
  caFile?: string | undefined
  /** PEM with a client certificate for the registries that the user names, and with its key. */
  certFile?: string | undefined
  keyFile?: string | undefined
  /** Where the distribution's bundle of authorities may be; its usual places when not given. */
  bundles?: readonly string[] | undefined
  /** Takes one line about a file that is left out. */
  warn(message: string): void
}

/** Node's own roots, and nothing else. */
export const defaultTrust: Trust = { settingsFor: async () => ({ id: '', context: undefined }) }

/**
 * Trusts what Node trusts, what this system trusts, `caFile`, and for each host its `certs.d` folder (rules R154, R155,
 * R162, R163). Nothing is read before the first registry is asked.
 *
 * @throws ConfigError of kind `usage` when one of `certFile` and `keyFile` is missing
 */
export function createTrust(options: TrustOptions): Trust {
  const { certFile, keyFile } = options
  if ((certFile === undefined) !== (keyFile === undefined)) {
    const [given, missing] = certFile === undefined ? ['key', 'certificate'] : ['certificate', 'key']
    throw new ConfigError(`a client ${given} is of no use without its ${missing}`, {
      kind: 'usage',
      code: 'incomplete-client-certificate',
      hint: 'Give both --cert-file and --key-file',
    })
  }
  const common = once(() => readCommon(options))
  const settings = new Map<string, Promise<TlsSettings>>()
  return {
    settingsFor(host, isNamed) {
      const key = `${isNamed} ${host}`
      const known = settings.get(key)
      if (known !== undefined) return known
      const made = makeSettings(host, isNamed, common, options)
      settings.set(key, made)
      return made
    },
  }
}

/** What concerns all hosts, and the client certificate for those that are named. */
interface CommonCertificates {
  roots: readonly string[]
  client: ClientCertificate | undefined
  /** For hosts without anything of their own. */
  plain: TlsSettings
}

async function readCommon(options: TrustOptions): Promise<CommonCertificates> {
  const { caFile, certFile, keyFile, environment, warn, bundles } = options
  const system = await systemRoots(environment, warn, bundles)
  const roots = caFile === undefined ? system : [...system, ...(await readCertificates(caFile))]
  const client =
    certFile === undefined || keyFile === undefined
      ? undefined
      : {
          certificate: await readNamed(certFile, 'client certificate'),
          key: await readNamed(keyFile, 'client key'),
        }
  return { roots, client, plain: { id: '', context: contextOf(roots, [], '') } }
}

async function makeSettings(
  host: string,
  isNamed: boolean,
  common: () => Promise<CommonCertificates>,
  places: ConfigPlaces,
): Promise<TlsSettings> {
  const { roots, client, plain } = await common()
  const own = await hostCertificates(host, places)
  const clients = isNamed ? (client === undefined ? (own?.clients ?? []) : [client]) : []
  const authorities = own?.authorities ?? []
  const folder = own?.from
  if (authorities.length === 0 && clients.length === 0) return { ...plain, folder }
  const from = client === undefined ? (own?.from ?? '') : 'the given files'
  const id = `${isNamed ? 'named' : 'other'} ${authorities.length === 0 && client !== undefined ? '' : host}`
  return { id, context: contextOf([...roots, ...authorities], clients, from), folder }
}

/** Docker Hub's folder has the name that references have for it, or the one of its host. */
async function hostCertificates(host: string, places: ConfigPlaces): Promise<HostCertificates | undefined> {
  const found = await readHostCertificates(host, places)
  return found === undefined && host === 'docker.io'
    ? await readHostCertificates('registry-1.docker.io', places)
    : found
}

/** Any `ca` replaces what Node trusts, so that goes along (rule R162). */
function contextOf(
  roots: readonly string[],
  clients: readonly ClientCertificate[],
  from: string,
): SecureContext | undefined {
  if (roots.length === 0 && clients.length === 0) return undefined
  try {
    return createSecureContext({
      ...(roots.length > 0 && { ca: [...rootCertificates, ...roots] }),
      ...(clients.length > 0 && {
        cert: clients.map(client => client.certificate),
        key: clients.map(client => client.key),
      }),
      minVersion: 'TLSv1.2',
    })
  } catch (error) {
    throw new ConfigError(`cannot use the client certificate of ${from}: ${messageOf(error)}`, {
      kind: 'failed',
      code: 'bad-client-certificate',
      hint: 'Certificate and key must belong together, in PEM, and the key must not be encrypted',
      cause: error,
    })
  }
}

function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => {
    made ??= make()
    return made
  }
}
