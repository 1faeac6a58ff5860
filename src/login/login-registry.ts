import { registryOf } from '../credentials/registry-keys.js'
import { LocationError } from '../open/location.js'
import { parseRegistry } from '../open/parse-registry.js'

/** The registry that someone means who logs in. */
export interface LoginRegistry {
  /** As in a reference: `docker.io`, `localhost:5000`. */
  readonly registry: string
  /** What was given besides and does not count, such as a repository; undefined when there was nothing. */
  readonly ignored?: string
}

/**
 * Reads the registry of a login. People give addresses and repositories too; credentials are for the whole registry.
 * Docker Hub goes by all of its names (rules R111, R124).
 *
 * @throws LocationError `not-a-registry` of kind `usage`, with a hint where the mistake can be guessed
 * @example
 * parseLoginRegistry('https://ghcr.io/acme/app') // { registry: 'ghcr.io', ignored: 'acme/app' }
 */
export function parseLoginRegistry(text: string): LoginRegistry {
  const match = /^(?:(?:https?|docker):\/\/)?([^/]*)\/*(.*)$/is.exec(text.trim())
  const [, host = '', path = ''] = match ?? []
  const isHost = /[.:]|^localhost$/.test(host)
  if (path !== '' && !isHost) {
    throw new LocationError(`"${text.slice(0, 200)}" names no registry`, {
      kind: 'usage',
      code: 'not-a-registry',
      hint: 'A login is for a registry, as in ghcr.io or localhost:5000; Docker Hub is docker.io',
    })
  }
  const registry = registryOf(parseRegistry(host))
  // What Docker writes behind the name of a registry.
  const isVersion = /^v[12]\/?$/.test(path)
  return { registry, ...(path !== '' && !isVersion && { ignored: path }) }
}
