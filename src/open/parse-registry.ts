import { DOCKER_HUB, parseReference } from '../content/reference.js'
import { LocationError } from './location.js'

/**
 * Reads the name of a registry as it stands at the beginning of a reference: `localhost:5000`, `registry.example.org`.
 *
 * @returns the name; `docker.io` for Docker Hub's other name
 * @throws LocationError `not-a-registry` of kind `usage`, with a hint where the mistake can be guessed
 */
export function parseRegistry(text: string): string {
  const fail = (why: string, hint: string) =>
    new LocationError(`"${text.slice(0, 200)}" is not a registry: ${why}`, {
      kind: 'usage',
      code: 'not-a-registry',
      hint,
    })
  const scheme = /^([a-z]+):\/\//i.exec(text)
  const name = (scheme === null ? text : text.slice(scheme[0].length)).replace(/\/$/, '')
  if (scheme !== null && scheme[1] !== 'docker') throw fail('it has a scheme', `Write it without: ${name}`)
  if (name.includes('/')) {
    throw fail('it names a repository', `For the tags of a repository run \`regctl tags ${name}\``)
  }
  if (!isHost(name)) throw fail('it is no host', 'Write HOST[:PORT], as in localhost:5000')
  return name === 'index.docker.io' ? DOCKER_HUB : name
}

/** Whether a reference can begin with it. */
function isHost(name: string): boolean {
  try {
    const { registry } = parseReference(`${name}/x`)
    return registry === name || name === 'index.docker.io'
  } catch {
    return false
  }
}
