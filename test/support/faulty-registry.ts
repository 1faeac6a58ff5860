import { once } from 'node:events'
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createSecureServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { createRegistryServer } from '../../src/server/server.js'
import type { Exchange, Fault, WireAnswer } from './faults/fault.js'
import { isGated, type TokenGate, tokenAnswer } from './faults/token.js'

/** Which requests go wrong, and how. */
export interface FaultRule {
  /** Tried on `METHOD /path?query`. */
  route: RegExp
  /** Which of the requests that match, beginning with 1: one of them, those from `from` to `to`, or all. Default: all. */
  call?: number | { from: number; to?: number }
  fault: Fault
}

/** How a faulty registry is set up. */
export interface FaultyRegistryOptions {
  /** What it serves when nothing goes wrong. An empty collection when not given. */
  repositories?: MemoryCollection
  /** Asks for tokens, and gives them out at `/token`, which rules can be about as well. */
  tokens?: TokenGate
  /** Speaks TLS; a key and a certificate in PEM. */
  certificate?: { key: string; cert: string }
}

/** A registry with which things go wrong. Disposing ends every connection. */
export interface FaultyRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT` */
  readonly host: string
  /** Of each request: method and path, with the query. */
  readonly lines: string[]
  /** The same of the server that redirects lead to, with whether a login came along. */
  readonly storeRequests: { line: string; authorization: string | undefined }[]
}

/**
 * Starts the embedded registry with faults in front of it. The first rule that a request matches has it; a request that
 * none wants is answered as it should be.
 */
export async function startFaultyRegistry(
  rules: readonly FaultRule[],
  options: FaultyRegistryOptions = {},
): Promise<FaultyRegistry> {
  const repositories = options.repositories ?? new MemoryCollection()
  const registry = createRegistryServer({ repositories })
  const { port } = await registry.listen('127.0.0.1', 0)
  const real = `127.0.0.1:${port}`
  const lines: string[] = []
  const storeRequests: FaultyRegistry['storeRequests'] = []
  const calls = new Map<FaultRule, number>()

  const store = createServer((request, response) => {
    storeRequests.push({ line: lineOf(request), authorization: request.headers.authorization })
    void answerFromStore(request, response, real)
  })
  const storeHost = await listen(store)
  const listener = async (request: IncomingMessage, response: ServerResponse) => {
    request.on('error', () => {})
    response.on('error', () => {})
    lines.push(lineOf(request))
    const scheme = options.certificate === undefined ? 'http' : 'https'
    const exchange = exchangeOf(request, response, { scheme, host, store: storeHost, real })
    const gated = options.tokens !== undefined && isGated(request)
    const fault = gated ? undefined : faultFor(request, rules, calls)
    try {
      if (fault !== undefined) await fault(exchange)
      else if (options.tokens !== undefined && (gated || /^\/token/.test(request.url ?? ''))) {
        await exchange.body()
        exchange.send(tokenAnswer(exchange, options.tokens))
      } else exchange.send(await exchange.forward())
    } catch {
      // The client has gone.
      request.socket.destroy()
    }
  }
  const limits = { maxHeaderSize: 64 * 1024 }
  const server =
    options.certificate === undefined
      ? createServer(limits, listener)
      : createSecureServer({ ...limits, ...options.certificate }, listener)
  const host = await listen(server)
  return {
    host,
    lines,
    storeRequests,
    async [Symbol.asyncDispose]() {
      await Promise.all([server, store].map(close))
      await registry[Symbol.asyncDispose]()
    },
  }
}

function faultFor(
  request: IncomingMessage,
  rules: readonly FaultRule[],
  calls: Map<FaultRule, number>,
): Fault | undefined {
  for (const rule of rules) {
    if (!rule.route.test(lineOf(request))) continue
    const count = (calls.get(rule) ?? 0) + 1
    calls.set(rule, count)
    const { call = { from: 1 } } = rule
    const { from, to = Number.POSITIVE_INFINITY } = typeof call === 'number' ? { from: call, to: call } : call
    if (count >= from && count <= to) return rule.fault
  }
  return undefined
}

function lineOf(request: IncomingMessage): string {
  return `${request.method} ${request.url}`
}

function exchangeOf(
  request: IncomingMessage,
  response: ServerResponse,
  places: Pick<Exchange, 'scheme' | 'host' | 'store' | 'real'>,
): Exchange {
  let reading: Promise<Buffer> | undefined
  const body = () => {
    reading ??= readAll(request)
    return reading
  }
  return {
    request,
    response,
    ...places,
    body,
    forward: async () => await ask(places.real, request, request.url ?? '/', await body()),
    send: ({ status, headers, body: bytes }) => {
      response.writeHead(status, { ...headers, ...lengthOf(headers, status, bytes) })
      response.end(request.method === 'HEAD' ? undefined : bytes)
    },
  }
}

/** Node would send in chunks what has no length. */
function lengthOf(headers: WireAnswer['headers'], status: number, body: Buffer): Record<string, string> {
  const isSaid = 'content-length' in headers || 'transfer-encoding' in headers || 'connection' in headers
  return isSaid || status === 204 ? {} : { 'content-length': `${body.length}` }
}

async function ask(host: string, request: IncomingMessage, path: string, body: Buffer): Promise<WireAnswer> {
  const [hostname, port] = host.split(':')
  const { authorization: _authorization, ...headers } = request.headers
  const { method } = request
  const asking = httpRequest({ hostname, port, method, path, headers, agent: false })
  asking.end(body)
  const [answer] = (await once(asking, 'response')) as [IncomingMessage]
  const { connection: _connection, 'keep-alive': _keepAlive, ...kept } = answer.headers
  return {
    status: answer.statusCode ?? 0,
    headers: kept as WireAnswer['headers'],
    body: await readAll(answer),
  }
}

/** A store of blobs as registries redirect to: it takes no login beside its signature, and its links expire. */
async function answerFromStore(
  request: IncomingMessage,
  response: ServerResponse,
  real: string,
): Promise<void> {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://store')
  const [, name, digest] = /^\/(.+)\/([^/]+)$/.exec(pathname) ?? []
  const refuse = (status: number, code: string) =>
    response
      .writeHead(status, { 'content-type': 'application/xml' })
      .end(`<Error><Code>${code}</Code></Error>`)
  if (request.headers.authorization !== undefined) refuse(400, 'InvalidArgument')
  else if (searchParams.has('expired')) refuse(403, 'AccessDenied')
  else {
    const { status, headers, body } = await ask(real, request, `/v2/${name}/blobs/${digest}`, Buffer.alloc(0))
    response.writeHead(status, headers).end(body)
  }
}

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function close(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
