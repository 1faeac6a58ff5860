import { ContentError } from './content-error.js'
import { type Digest, isDigest, parseDigest } from './digest.js'

/**
 * Where an image is in a registry, after Docker's normalisation (rules R138 to R147).
 */
export interface Reference {
  /** `host` or `host:port` as typed; `docker.io` for Docker Hub's short names. */
  registry: string
  /** The repository's full name: `library/ubuntu`. */
  repository: string
  /** Undefined when none was given. `latest` is filled in by {@link tagOrDigest}, not here. */
  tag?: string
  digest?: Digest
}

/** The default registry of names without a host. */
export const DOCKER_HUB = 'docker.io'

const MAXIMUM_LENGTH = 4096
const MAXIMUM_REPOSITORY_LENGTH = 255
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?'
const HOST = new RegExp(`^(?:${LABEL}(?:\\.${LABEL})*|\\[[0-9A-Fa-f:]+\\])(?::([0-9]+))?$`)
const COMPONENT = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*'
const REPOSITORY = new RegExp(`^${COMPONENT}(?:/${COMPONENT})*$`)
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/

/** Whether a tag has the syntax of the distribution-spec (Pulling manifests). */
export function isTag(text: string): boolean {
  return TAG.test(text)
}

/** Whether a repository's name (without a host) has the syntax of the distribution-spec (Pulling manifests). */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAXIMUM_REPOSITORY_LENGTH && REPOSITORY.test(text)
}

/**
 * Reads a reference as Docker does: `ubuntu` is `docker.io/library/ubuntu`, `localhost:5000/a:1` names its host.
 * A leading `docker://` is allowed. Tag and digest may both be there.
 *
 * @throws ContentError of kind `usage`, code `bad-reference`, with a hint where the mistake can be guessed
 * @example
 * parseReference('localhost:5000/team/app:1.0') // { registry: 'localhost:5000', repository: 'team/app', tag: '1.0' }
 */
export function parseReference(text: string): Reference {
  const fail = (why: string, hint?: string) =>
    new ContentError(`"${printable(text)}" is not a reference: ${why}`, {
      kind: 'usage',
      code: 'bad-reference',
      hint,
    })

  if (text.length > MAXIMUM_LENGTH) throw fail(`it is longer than ${MAXIMUM_LENGTH} characters`)
  // What heeds no case is compiled with tables of ICU, for longer than all the rest here.
  const scheme = text.includes('://') ? /^([a-z][a-z0-9+.-]*):\/\//i.exec(text) : null
  if (scheme !== null && scheme[1] !== 'docker') {
    throw fail(
      `it starts with ${scheme[1]}://`,
      `Write it without the scheme: ${printable(text.slice(scheme[0].length))}`,
    )
  }
  let rest = scheme === null ? text : text.slice(scheme[0].length)

  if (/^[0-9a-f]{64}$/.test(rest)) throw fail('64 hex digits are an image ID, not a name')

  let digest: Digest | undefined
  const at = rest.indexOf('@')
  if (at >= 0) {
    const digestText = rest.slice(at + 1)
    if (!isDigest(digestText)) {
      try {
        parseDigest(digestText)
      } catch (error) {
        throw fail((error as Error).message)
      }
    } else digest = digestText
    rest = rest.slice(0, at)
  }

  let tag: string | undefined
  const colon = rest.lastIndexOf(':')
  if (colon > rest.lastIndexOf('/')) {
    tag = rest.slice(colon + 1)
    rest = rest.slice(0, colon)
    if (!isTag(tag))
      throw fail(
        `"${printable(tag)}" is not a tag`,
        'A tag has letters, digits, "_", "." and "-", 128 at most',
      )
  }

  if (rest === '') throw fail('it names no repository')
  const { registry, path } = splitRegistry(rest)
  checkHost(registry, fail)
  if (!REPOSITORY.test(path)) {
    if (/[A-Z]/.test(path)) {
      throw fail('repository name must be lowercase', lowerCaseHint(text, rest))
    }
    throw fail(`"${printable(path)}" is not a repository name`)
  }
  if (path.length > MAXIMUM_REPOSITORY_LENGTH) {
    throw fail(`its repository name is longer than ${MAXIMUM_REPOSITORY_LENGTH} characters`)
  }
  const reference: Reference = { registry, repository: path }
  if (tag !== undefined) reference.tag = tag
  if (digest !== undefined) reference.digest = digest
  return reference
}

/** Asks for the same reference with its path in lower case. The host, which may have upper case, stays. */
function lowerCaseHint(text: string, name: string): string {
  const { path } = splitRegistry(name)
  // Docker Hub's short names have got a "library/" that nobody typed.
  const typed = name.endsWith(path) ? path : path.slice('library/'.length)
  const lower = `${name.slice(0, name.length - typed.length)}${typed.toLowerCase()}`
  return `Did you mean ${printable(text.replace(name, () => lower))}?`
}

function splitRegistry(name: string): { registry: string; path: string } {
  const slash = name.indexOf('/')
  const first = slash < 0 ? '' : name.slice(0, slash)
  if (slash < 0 || !(/[.:A-Z]/.test(first) || first === 'localhost')) {
    return { registry: DOCKER_HUB, path: slash < 0 ? `library/${name}` : name }
  }
  const path = name.slice(slash + 1)
  if (first !== DOCKER_HUB && first !== 'index.docker.io') return { registry: first, path }
  return { registry: DOCKER_HUB, path: path.includes('/') ? path : `library/${path}` }
}

function checkHost(host: string, fail: (why: string, hint?: string) => ContentError): void {
  const match = HOST.exec(host)
  if (match === null) {
    const hint = /[^\x20-\x7e]/.test(host)
      ? 'Write an international host name in punycode (xn--…)'
      : undefined
    throw fail(`"${printable(host)}" is not a host name`, hint)
  }
  const port = match[1]
  if (port !== undefined && (Number(port) < 1 || Number(port) > 65_535))
    throw fail(`port ${port} is not between 1 and 65535`)
}

/** What a manifest is asked for by: the digest when there is one (rule R142), else the tag, else `latest`. */
export function tagOrDigest(reference: Reference): string {
  return reference.digest ?? reference.tag ?? 'latest'
}

/** `host/repository`, with Docker Hub's host written out. */
export function repositoryOf(reference: Reference): string {
  return `${reference.registry}/${reference.repository}`
}

/** A reference written in full. */
export function formatReference(reference: Reference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`
  return `${repositoryOf(reference)}${tag}${digest}`
}

/** A reference as Docker shows it: without `docker.io/` and `library/`, wherever it still means the same. */
export function familiarName(reference: Reference): string {
  if (reference.registry !== DOCKER_HUB) return repositoryOf(reference)
  const short = reference.repository.replace(/^library\/(?=[^/]+$)/, '')
  // What begins like a host would be read as one.
  return splitRegistry(short).registry === DOCKER_HUB ? short : repositoryOf(reference)
}

function printable(text: string): string {
  const clean = text.replace(/[^\x20-\x7e]/g, '?')
  return clean.length > 200 ? `${clean.slice(0, 200)}…` : clean
}
