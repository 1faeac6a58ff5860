import { createSign, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { run } from './run.js'

/** A token server (distribution, Token Authentication Specification) for one registry. */
export interface TokenServer extends AsyncDisposable {
  /** What the registry's configuration has under `auth.token`. */
  readonly configuration: { realm: string; service: string; issuer: string; rootcertbundle: string }
  /** The scopes of each token that was asked for, in order, joined by spaces. */
  readonly asked: string[]
}

const ISSUER = 'regctl tests'
const SERVICE = 'test registry'

/**
 * Starts a token server on a loopback port. One user gets every access that they ask for, others get none.
 *
 * @param folder where its key and certificate are kept
 */
export async function startTokenServer(
  folder: string,
  user: { name: string; password: string },
): Promise<TokenServer> {
  const keyFile = join(folder, 'token.key')
  const certificateFile = join(folder, 'token.pem')
  const made = await run(
    'openssl',
    // biome-ignore format: one option and its value belong on one line
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', `/CN=${ISSUER}`,
      '-keyout', keyFile, '-out', certificateFile],
  )
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  const key = await readFile(keyFile, 'utf8')
  const certificate = await readFile(certificateFile, 'utf8')
  const login = `Basic ${Buffer.from(`${user.name}:${user.password}`).toString('base64')}`

  const asked: string[] = []
  const server = createServer((request, response) => {
    asked.push(scopesOf(request).join(' '))
    answer(request, response, login, key, certificate)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    asked,
    configuration: {
      realm: `http://127.0.0.1:${port}/token`,
      service: SERVICE,
      issuer: ISSUER,
      rootcertbundle: certificateFile,
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

function scopesOf(request: IncomingMessage): string[] {
  return new URL(request.url ?? '/', 'http://token').searchParams.getAll('scope')
}

function answer(
  request: IncomingMessage,
  response: ServerResponse,
  login: string,
  key: string,
  certificate: string,
): void {
  request.resume()
  response.setHeader('content-type', 'application/json')
  if (request.headers.authorization !== login) {
    response.statusCode = 401
    response.end('{"errors":[{"code":"UNAUTHORIZED","message":"wrong user or password"}]}')
    return
  }
  const access = scopesOf(request)
    .flatMap(scope => scope.split(' '))
    .flatMap(scope => {
      const match = /^([^:]+):(.+):([^:]*)$/.exec(scope)
      return match === null ? [] : [{ type: match[1], name: match[2], actions: match[3]?.split(',') }]
    })
  response.end(JSON.stringify({ token: sign({ access }, key, certificate), expires_in: 300 }))
}

/** A JSON Web Token that brings its certificate along. */
function sign(claims: object, key: string, certificate: string): string {
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const header = encode({ typ: 'JWT', alg: 'RS256', x5c: [certificate.replace(/-----[^-]+-----|\s/g, '')] })
  const times = { iat: now, nbf: now - 10, exp: now + 300 }
  const body = encode({ iss: ISSUER, aud: SERVICE, sub: 'test', jti: randomUUID(), ...times, ...claims })
  return `${header}.${body}.${createSign('RSA-SHA256').update(`${header}.${body}`).sign(key, 'base64url')}`
}
