import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'

/** What a scripted server was asked. */
export interface SeenRequest {
  method: string
  /** Path and query as they came. */
  path: string
  headers: IncomingHttpHeaders
  body: Buffer
}

/** Answers a request, or leaves it without an answer by destroying its socket. */
export type Answer = (request: SeenRequest, response: ServerResponse) => void

/** An odd registry for tests: on a loopback port, it answers what a test says. */
export interface ScriptedServer extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** In the order in which they came. */
  readonly seen: SeenRequest[]
  /** How many connections were made to it. */
  connections(): number
  /** Method and path of each request. */
  lines(): string[]
}

/**
 * Starts a server. `routes` are tried in order: the first whose pattern matches `METHOD path?query` answers; a
 * route with several answers gives them one after another, and the last one from then on.
 *
 * @param certificate for one that speaks TLS, in PEM
 */
export async function startScripted(
  routes: readonly (readonly [RegExp, ...Answer[]])[],
  certificate?: { key: string; cert: string },
): Promise<ScriptedServer> {
  const seen: SeenRequest[] = []
  const used = new Map<RegExp, number>()
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    response.on('error', () => {})
    const asked = {
      method: request.method ?? '',
      path: request.url ?? '',
      headers: request.headers,
      body: await read(request),
    }
    seen.push(asked)
    const route = routes.find(([pattern]) => pattern.test(`${asked.method} ${asked.path}`))
    if (route === undefined) {
      response.writeHead(404).end()
      return
    }
    const [pattern, ...answers] = route
    const count = used.get(pattern) ?? 0
    used.set(pattern, count + 1)
    answers[Math.min(count, answers.length - 1)]?.(asked, response)
  }
  const server =
    certificate === undefined ? createServer(listener) : createSecureServer(certificate, listener)
  let connections = 0
  server.on('connection', () => {
    connections++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    connections: () => connections,
    lines: () => seen.map(({ method, path }) => `${method} ${path}`),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

async function read(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) chunks.push(chunk)
  } catch {
    // The client went away; what came is kept.
  }
  return Buffer.concat(chunks)
}

/** Answers with a status, headers and a body. */
export function answer(
  status: number,
  headers: Record<string, string | string[]> = {},
  body: string | Uint8Array = '',
): Answer {
  return (_request, response) => response.writeHead(status, headers).end(body)
}

/** Closes the connection without a word. */
export const hangUp: Answer = (_request, response) => {
  response.socket?.destroy()
}

/** An error as the distribution-spec has it. */
export function refusal(status: number, code: string, message = 'refused'): Answer {
  return answer(
    status,
    { 'content-type': 'application/json' },
    JSON.stringify({ errors: [{ code, message }] }),
  )
}
