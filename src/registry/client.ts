import type { LookupFunction } from 'node:net'
import { join } from 'node:path'
import { InsecureRegistries } from '../config/insecure-registries.js'
import type { ProxyDecision } from '../config/proxies.js'
import type { Place, Routes } from '../config/routes.js'
import type { Trust } from '../config/trust.js'
import type { Context, ListOptions } from '../content/store.js'
import type { CredentialLookup } from '../credentials/credential-store.js'
import type { ClientAccess, RegistryAccess } from './access.js'
import { Authenticator } from './auth.js'
import { listRepositories } from './catalog.js'
import { withCollectedBodies } from './collect.js'
import type { PlainAccess } from './diagnose.js'
import { Hosts } from './hosts.js'
import { KnownBlobs } from './known-blobs.js'
import { withLog } from './log.js'
import { type AskCredential, checkLogin, type LoginCheck } from './login-check.js'
import type { DeadMirrors } from './mirrors.js'
import { OpenUploads } from './open-uploads.js'
import { withRedirects } from './redirect.js'
import { Repository } from './repository.js'
import { withRequestLimit } from './request-limit.js'
import { defaultRetryOptions, Retrier, type RetryOptions } from './retry.js'
import { Secrets, withoutSecrets } from './secrets.js'
import type { Send } from './send.js'
import { Transport } from './transport.js'
import { UploadLimits } from './upload-limits.js'
import type { UrlPolicy } from './urls.js'
import { withWarnings } from './warnings.js'

/** How a {@link RegistryClient} reaches registries. */
export interface RegistryClientOptions {
  credentials: CredentialLookup
  /** `HOST[:PORT]` or CIDR: spoken to without a valid certificate, and in clear text. Loopback always is. */
  insecureRegistries?: readonly string[]
  /** The User-Agent header. `regctl` when not given. */
  userAgent?: string
  /** Takes one line for each exchange, without secrets. Nothing is logged when not given. */
  log?: (line: string) => void
  /** The most connections to one host, besides one for each upload. 16 when not given. */
  maximumConnections?: number
  /** Follows redirects and upload locations to private addresses on other hosts, which are refused when not given. */
  allowInternalRedirects?: boolean
  /** Decides on proxies; none when not given. See `proxiesFrom`. */
  proxyFor?: ProxyDecision
  /** Which certificates are trusted and shown. Node's own roots when not given. See `createTrust`. */
  trust?: Trust
  /** Where repositories are and which mirrors they have; each is where its name says when not given. */
  routes?: Routes
  /** Resolves the names of registries; the system when not given. */
  lookup?: LookupFunction
  /**
   * How long a connection may stand still before it is closed and the request sent again (rule R248), in milliseconds; 0
   * for ever. A minute when not given. The whole time of a transfer is never limited.
   */
  stallTimeoutMs?: number
  /**
   * Sends every blob in chunks of so many bytes. In one piece when not given, and in chunks where a registry, or what is in
   * front of it, does not take that.
   */
  chunkBytes?: number
  /**
   * Where it remembers what the next run can go on with: unfinished uploads. Only its user may read what is there, and it may
   * vanish at any time. Nothing is remembered when not given. See `cacheFolder`.
   */
  stateFolder?: string
  /** Replaces some of the numbers and functions of the retries. */
  retry?: Partial<RetryOptions>
}

/**
 * Speaks to registries (OCI distribution-spec 1.1). What it learns is shared by all its repositories: connections,
 * tokens, which scheme a host speaks, and which blobs are where.
 *
 * @example
 * await using client = new RegistryClient({ credentials: anonymous })
 * const { bytes } = await client.repository('docker.io', 'library/alpine').getManifest('latest', createContext())
 */
export class RegistryClient implements AsyncDisposable {
  readonly #transport: Transport
  readonly #access: ClientAccess
  /** Without credentials of its own: a login is tried with what it is given. */
  readonly #plain: Send
  readonly #secrets = new Secrets()
  /** For what settings call insecure (rule R158). */
  readonly #insecureAccess: ClientAccess
  readonly #options: RegistryClientOptions
  readonly #known = new KnownBlobs()
  readonly #deadMirrors: DeadMirrors = new Set()

  /** @throws ConfigError for a malformed entry of `insecureRegistries` */
  constructor(options: RegistryClientOptions) {
    const insecure = new InsecureRegistries(options.insecureRegistries)
    const policy: UrlPolicy = {
      isInsecure: host => insecure.matches(host),
      allowInternal: options.allowInternalRedirects ?? false,
    }
    const transport = new Transport({
      userAgent: options.userAgent ?? 'regctl',
      maximumConnections: options.maximumConnections ?? 16,
      policy,
      proxyFor: options.proxyFor ?? (() => undefined),
      trust: options.trust,
      lookup: options.lookup,
      stallTimeoutMs: options.stallTimeoutMs,
    })
    const retryOptions = { ...defaultRetryOptions, ...options.retry }
    const retrier = new Retrier(retryOptions)
    const secrets = this.#secrets
    const hosts = new Hosts(insecure, transport.probe.bind(transport), retrier)
    // Each hop and each attempt is an exchange of its own to the log; credentials are added above the redirects, which
    // take them off again where a hop leaves the registry.
    const exchange = withLog(transport.send, options.log, secrets)
    const limited = withRequestLimit(exchange, retryOptions)
    const collected = withoutSecrets(withCollectedBodies(withRedirects(limited, policy)), secrets)
    const { credentials, stateFolder, chunkBytes } = options
    const { now } = retryOptions
    const retried = retrier.wrap(collected)
    const authenticator = new Authenticator(retried, { credentials, policy, secrets, now })
    this.#transport = transport
    this.#plain = retried
    this.#options = options
    this.#access = {
      send: withWarnings(authenticator.send),
      retrier,
      policy,
      uploadLimits: new UploadLimits(chunkBytes),
      openUploads: stateFolder === undefined ? undefined : new OpenUploads(join(stateFolder, 'uploads')),
      endpointOf: (registry, context) => hosts.endpointOf(registry, context),
    }
    const endpointOf: ClientAccess['endpointOf'] = (registry, context) =>
      hosts.endpointOf(registry, context, true)
    this.#insecureAccess = { ...this.#access, endpointOf }
  }

  /**
   * A repository. Nothing is asked of the registry yet.
   *
   * @param registry as in a reference: `docker.io`, `localhost:5000`
   * @param repository its full name, checked for syntax by the reference that it comes from
   * @param options with `mirrors`, manifests and blobs are read from its mirrors, where it has some
   * @throws ConfigError `blocked` when settings say that it must not be used
   */
  repository(registry: string, repository: string, options: { mirrors?: boolean } = {}): Repository {
    const { routes } = this.#options
    if (routes === undefined) return new Repository(this.#access, this.#known, registry, repository)
    const route = routes.routeOf(registry, repository)
    const mirrors = options.mirrors === true ? route.mirrors : []
    return new Repository(
      this.#accessTo(route),
      this.#known,
      route.registry,
      route.name,
      mirrors.map(mirror => ({
        client: this.#accessTo(mirror),
        registry: mirror.registry,
        name: mirror.name,
        label: `${mirror.registry}/${mirror.name}`,
        mirrorOf: registry,
        // There are others to ask.
        attempts: 2,
        reads: mirror.reads,
      })),
      this.#deadMirrors,
    )
  }

  #registryAccess(registry: string, repository: string): RegistryAccess {
    const place = this.#options.routes?.routeOf(registry, repository) ?? {
      registry,
      name: '',
      insecure: false,
    }
    return { client: this.#accessTo(place), registry: place.registry, label: place.registry }
  }

  #accessTo({ insecure }: Place): ClientAccess {
    return insecure ? this.#insecureAccess : this.#access
  }

  /**
   * The names of a registry's repositories by Docker's catalog, page by page. Many registries offer none (rule R75).
   *
   * @param registry as in a reference: `localhost:5000`
   * @throws RegistryError `no-catalog`
   */
  listRepositories(registry: string, context: Context, options: ListOptions = {}): AsyncIterable<string> {
    return listRepositories(this.#registryAccess(registry, ''), context, options)
  }

  /**
   * Tries a login; see {@link checkLogin}. The client's own credentials take no part in it.
   *
   * @param registry as in a reference: `docker.io`, `localhost:5000`
   * @param ask is called when the registry asks for a login, and not otherwise
   * @throws RegistryError `denied` when the registry refuses it
   */
  checkLogin(registry: string, ask: AskCredential, context: Context): Promise<LoginCheck> {
    const { client } = this.#registryAccess(registry, '')
    const access = { ...client, send: this.#plain, secrets: this.#secrets }
    return checkLogin(access, registry, ask, context)
  }

  /** A registry as a whole, with a sender that answers no challenge: for finding out what is wrong with it. */
  plainAccess(registry: string, repository = ''): PlainAccess {
    return { ...this.#registryAccess(registry, repository), sendPlainly: this.#plain }
  }

  /** Closes every connection; its repositories are not used afterwards. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#transport[Symbol.asyncDispose]()
  }
}
