import type { InsecureRegistries } from '../config/insecure-registries.js'
import { DOCKER_HUB } from '../content/reference.js'
import type { Context } from '../content/store.js'
import { InterruptedError, RegctlError } from '../errors.js'
import { explainNetworkError } from './network-error.js'
import { RegistryError } from './registry-error.js'
import type { Retrier } from './retry.js'
import type { Endpoint } from './send.js'

const HUB_HOST = 'registry-1.docker.io'
const REFUSED_DELAY_MS = 1_000

/** The host, with its port, that a registry's name in references stands for. */
export function hostOf(registry: string): string {
  return registry === DOCKER_HUB ? HUB_HOST : registry
}

/**
 * Asks a registry for a URL over unverified TLS; rejects with the socket's error when no HTTP answer comes. Gives false
 * when it is seen without TLS that it speaks clear text.
 */
export type Probe = (url: URL, registry: string, signal: AbortSignal) => Promise<boolean>

/**
 * Knows how each registry is reached: https only, or for an insecure one https without verification and then http
 * (rules R148 to R152). What was found out holds for the host and for the life of the client.
 */
export class Hosts {
  readonly #insecure: InsecureRegistries
  readonly #probe: Probe
  readonly #retrier: Retrier
  readonly #known = new Map<string, Promise<Endpoint>>()

  constructor(insecure: InsecureRegistries, probe: Probe, retrier: Retrier) {
    this.#insecure = insecure
    this.#retrier = retrier
    this.#probe = probe
  }

  /**
   * The endpoint of a registry as it stands in a reference.
   *
   * @param isInsecure settings say so for what is asked of it, whether or not the registry is listed as insecure
   * @throws RegistryError when an insecure registry doesn't answer at all; it is asked again the next time
   */
  endpointOf(registry: string, context: Context, isInsecure = false): Promise<Endpoint> {
    const key = `${registry} ${isInsecure}`
    const known = this.#known.get(key)
    if (known !== undefined) return known
    const found = this.#find(registry, context, isInsecure)
    this.#known.set(key, found)
    found.catch(() => this.#known.delete(key))
    return found
  }

  async #find(registry: string, context: Context, isInsecure: boolean): Promise<Endpoint> {
    const host = hostOf(registry)
    const secure = new URL(`https://${host}`)
    if (!isInsecure && !(await this.#insecure.resolves(registry)))
      return { registry, base: secure, insecure: false }
    const plain: Endpoint = { registry, base: new URL(`http://${host}`), insecure: true }
    const ping = new URL('/v2/', secure)
    const operation = `connection to ${registry}`
    for (let attempt = 1; ; attempt++) {
      try {
        const speaksTls = await this.#probe(ping, registry, context.signal)
        return speaksTls ? { registry, base: secure, insecure: true } : plain
      } catch (error) {
        if (context.signal.aborted) throw new InterruptedError(`${operation} was interrupted`, error)
        if (error instanceof RegctlError) throw error
        const { text, code, hint } = explainNetworkError(error, ping, {
          registry,
          base: secure,
          insecure: true,
        })
        // Port 443 may be closed where port 80 is open; with a port written out both would be the same.
        const isRefused = code === 'connection-refused' && secure.port !== ''
        // What answers with an alert speaks TLS: clear text would only hide what it says.
        const isFinal = code === 'no-such-host' || code === 'client-certificate'
        if (!isRefused && !isFinal) return plain
        if (isRefused && attempt === 1) {
          // A registry that was started just now gets a second chance (rule R237).
          await this.#retrier.pause({ operation, context }, attempt, {
            cause: text.replace(/^failed: /, ''),
            delayMs: REFUSED_DELAY_MS,
          })
          continue
        }
        throw new RegistryError(operation, {
          kind: 'network',
          code,
          method: 'GET',
          url: ping,
          outcome: text,
          attempts: attempt,
          hint,
          cause: error,
        })
      }
    }
  }
}
