import { writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import type { IssuedCertificate } from './certificates.js'
import { Cleanup } from './cleanup.js'
import { systemEnvironment } from './run.js'
import { type Service, startService } from './service.js'
import { temporaryFolder } from './temporary-folder.js'
import { startTokenServer } from './token-server.js'

/** How to set up a registry. */
export interface DockerRegistryOptions {
  /** Only {@link REGISTRY_USER} comes in, with basic authentication. */
  htpasswd?: boolean
  /** Only {@link REGISTRY_USER} comes in, with a token that a token server gives to them. */
  tokenAuth?: boolean
  /** Manifests and blobs can be deleted. */
  deletes?: boolean
  /** Where it listens; `127.0.0.1` when not given. */
  address?: string
  /** It speaks TLS; of such a one the requests can't be read. Clients must show a certificate of `clientCaFile`. */
  tls?: IssuedCertificate & { clientCaFile?: string }
  /** What it is a pull-through cache of: the URL of another registry. */
  proxyOf?: string
}

/** One line of a registry's access log. */
export interface LoggedRequest {
  method: string
  /** With the query, as it came. */
  path: string
  status: number
  userAgent: string
}

/** The reference registry (distribution) as a process on a loopback port. Disposing ends it and removes its storage. */
export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`, or with another address. */
  readonly host: string
  /** Where it keeps its files, for tests that damage them. */
  readonly storage: string
  /** The scopes of each token that was asked for, with `tokenAuth`. */
  tokenScopes(): readonly string[]
  /** Every request so far, in the order in which they ended. Those of this helper are left out. */
  requests(): Promise<LoggedRequest[]>
}

/** Who may come in where a registry asks for a login. */
export const REGISTRY_USER = { name: 'ada', password: 'correct horse' } as const
/** `ada` and `correct horse` as bcrypt, at the least cost, since every request pays it. */
const HTPASSWD = 'ada:$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e\n'
const OWN_AGENT = 'regctl-test-support'

/**
 * Starts an empty registry.
 *
 * @throws Error when `docker-registry` (or `openssl`, for tokens) isn't installed: ask `missingTool` before
 */
export async function startDockerRegistry(options: DockerRegistryOptions = {}): Promise<DockerRegistry> {
  const stack = new Cleanup()
  try {
    const folder = stack.use(await temporaryFolder())
    const storage = join(folder.path, 'storage')
    const { address = '127.0.0.1', tls, proxyOf } = options
    const configuration: Record<string, unknown> = {
      version: '0.1',
      log: { formatter: 'json', level: 'info' },
      storage: {
        filesystem: { rootdirectory: storage },
        delete: { enabled: options.deletes ?? false },
      },
      http: {
        addr: `${address}:0`,
        secret: 'known to all',
        ...(tls !== undefined && { tls: tlsConfiguration(tls) }),
      },
      ...(proxyOf !== undefined && { proxy: { remoteurl: proxyOf } }),
    }
    if (options.htpasswd === true) {
      const path = join(folder.path, 'htpasswd')
      await writeFile(path, HTPASSWD)
      configuration.auth = { htpasswd: { realm: 'test', path } }
    }
    let scopes: readonly string[] = []
    if (options.tokenAuth === true) {
      const tokens = stack.use(await startTokenServer(folder.path, REGISTRY_USER))
      configuration.auth = { token: tokens.configuration }
      scopes = tokens.asked
    }
    const path = join(folder.path, 'config.json')
    // JSON is YAML too.
    await writeFile(path, JSON.stringify(configuration))
    const service = stack.use(
      await startService('docker-registry', ['serve', path], systemEnvironment(), started => {
        return portOf(started, address) !== undefined
      }),
    )
    const host = `${address}:${portOf(service, address)}`
    return {
      host,
      storage,
      tokenScopes: () => [...scopes],
      requests: () => readRequests(service, host),
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    }
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

function portOf(service: Service, address: string): string | undefined {
  return service.stderr().split(`listening on ${address}:`)[1]?.match(/^\d+/)?.[0]
}

function tlsConfiguration({
  certFile,
  keyFile,
  clientCaFile,
}: NonNullable<DockerRegistryOptions['tls']>): object {
  const clients = clientCaFile === undefined ? {} : { clientcas: [clientCaFile] }
  return { certificate: certFile, key: keyFile, ...clients }
}

/**
 * The log is written behind the responses. So we make a request that can be told from all others, and read the log
 * up to that.
 */
let marks = 0
async function readRequests(service: Service, host: string): Promise<LoggedRequest[]> {
  const mark = `${OWN_AGENT}-${++marks}`
  await new Promise<void>((resolve, reject) => {
    const marker = request(`http://${host}/v2/`, { headers: { 'user-agent': mark } }, response => {
      response.resume().once('end', resolve)
    })
    marker.once('error', reject).end()
  })
  for (let attempt = 0; attempt < 200 && !service.stdout().includes(`"${mark}"`); attempt++) {
    await new Promise(resolve => setTimeout(resolve, 10))
  }
  return service.stdout().split('\n').flatMap(parseLogLine)
}

/** Apache's combined log format. */
function parseLogLine(line: string): LoggedRequest[] {
  const match = /"([A-Z]+) (\S+) HTTP\/[\d.]+" (\d{3}) \d+ "[^"]*" "(.*)"$/.exec(line)
  if (match === null) return []
  const [, method = '', path = '', status = '', userAgent = ''] = match
  return userAgent.startsWith(OWN_AGENT) ? [] : [{ method, path, status: Number(status), userAgent }]
}
