import type { Readable } from 'node:stream'
import { isObject } from '../content/manifest.js'
import { printable } from '../content/printable.js'
import { messageOf } from '../errors.js'
import type { CredentialStore } from './credential-store.js'

/** Part of the protocol: callers compare the text (rule R135). */
const NOT_FOUND = 'credentials not found in native keychain'
const NO_SERVER = 'no credentials server URL'
const NO_USERNAME = 'no credentials username'
/** The most that is read of a request. A secret has a few kilobytes. */
const INPUT_LIMIT_BYTES = 1024 * 1024

/** What a credential helper runs on. */
export interface HelperOptions {
  /** The program's name, `docker-credential-…`. */
  name: string
  /** What it is part of, and which release, for `version`. */
  packageName: string
  version: string
  /** The request, in full when it ends. */
  input: Readable
  /** Opens the store that the helper gives access to. It is not opened for a request that makes no sense. */
  openStore(): Promise<CredentialStore>
}

/** What the helper writes to standard output, and its exit code. */
export interface HelperOutcome {
  output: string
  exitCode: 0 | 1
}

/**
 * Serves one request as a Docker credential helper (docker-credential-helpers, "Development"; rules R133, R135): `get`
 * and `erase` read a server from the input, `store` reads JSON, `list` and `version` read nothing. Whatever fails is one
 * line of output and exit code 1; nothing is thrown.
 *
 * @param parameters of the program: the action, and nothing else
 */
export async function serveHelper(
  parameters: readonly string[],
  options: HelperOptions,
): Promise<HelperOutcome> {
  const [action = ''] = parameters
  const usage = `Usage: ${options.name} <store|get|erase|list|version>`
  if (parameters.length !== 1) return failure(usage)
  try {
    switch (action) {
      case 'get':
        return await get(options)
      case 'store':
        return await store(options)
      case 'erase':
        return await erase(options)
      case 'list':
        return success(toJson(Object.fromEntries(await (await options.openStore()).list())))
      case 'version':
      case '-v':
      case '--version':
        return success(`${options.name} (${options.packageName}) ${options.version}`)
      case '-h':
      case '--help':
        return success(usage)
      default:
        return failure(`${options.name}: unknown action: ${action}`)
    }
  } catch (error) {
    return failure(messageOf(error))
  }
}

async function get(options: HelperOptions): Promise<HelperOutcome> {
  const server = (await readAll(options.input)).trim()
  if (server === '') return failure(NO_SERVER)
  const credential = await (await options.openStore()).get(server)
  if (credential === undefined) return failure(NOT_FOUND)
  return success(toJson({ ServerURL: server, Username: credential.username, Secret: credential.secret }))
}

async function store(options: HelperOptions): Promise<HelperOutcome> {
  const request = parseRequest(await readAll(options.input))
  if (request === undefined) return failure('the credentials to store are not the JSON that they should be')
  const { ServerURL: server = '', Username: username = '', Secret: secret = '' } = request
  if (server === '') return failure(NO_SERVER)
  if (username === '') return failure(NO_USERNAME)
  await (await options.openStore()).store(server, { username, secret })
  return { output: '', exitCode: 0 }
}

/** Erasing what is not there is what was asked for. */
async function erase(options: HelperOptions): Promise<HelperOutcome> {
  const server = (await readAll(options.input)).trim()
  if (server === '') return failure(NO_SERVER)
  await (await options.openStore()).erase(server)
  return { output: '', exitCode: 0 }
}

async function readAll(input: Readable): Promise<string> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    const bytes = Buffer.from(chunk as Buffer | string)
    size += bytes.length
    if (size > INPUT_LIMIT_BYTES) throw new Error(`the request is larger than ${INPUT_LIMIT_BYTES} bytes`)
    chunks.push(bytes)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Undefined when it is something else. The words of the JSON parser could repeat a secret. */
function parseRequest(text: string): Record<'ServerURL' | 'Username' | 'Secret', string> | undefined {
  try {
    const request: unknown = JSON.parse(text)
    if (!isObject(request)) return undefined
    const { ServerURL = '', Username = '', Secret = '' } = request
    if (typeof ServerURL !== 'string' || typeof Username !== 'string' || typeof Secret !== 'string')
      return undefined
    return { ServerURL, Username, Secret }
  } catch {
    return undefined
  }
}

/** As the helpers of Docker write it: safe within HTML too, which is how `<token>` looks there. */
function toJson(value: unknown): string {
  const escaped = (character: string) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
  return JSON.stringify(value).replace(/[<>&\u2028\u2029]/g, escaped)
}

function success(line: string): HelperOutcome {
  return { output: `${line}\n`, exitCode: 0 }
}

function failure(line: string): HelperOutcome {
  return { output: `${printable(line)}\n`, exitCode: 1 }
}
