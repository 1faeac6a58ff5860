import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { digestOf } from '../../src/content/digest.js'

/** What a fragile registry does otherwise than a sound one. */
export interface FragileOptions {
  /**
   * For each PUT and PATCH with a body, in order: after how many of its bytes the connection is closed. Those bytes are kept.
   * Undefined, or past the end of the list: it is taken whole.
   */
  cuts?: readonly (number | undefined)[]
  /** The most bytes that one request may have: 413 to more. */
  bodyLimit?: number
  /** The Range for a number of bytes. */
  range?: (count: number) => string
  /** The Range in the status of an upload, when it differs from that in other answers; empty for none. */
  statusRange?: string
  /** Answers the status of an upload in place of 204. */
  statusAnswer?: number
  /** How often the status is answered by 409 before that. */
  busy?: number
  /** Replaces the answer to the n-th PUT or PATCH, counted from 1; its body was read. Undefined leaves it as it is. */
  instead?: (count: number, method: string) => { status: number; body?: string; range?: string } | undefined
  /** What follows the path of each Location. */
  query?: string
  /** It reads bodies and never answers them. */
  silent?: boolean
  /** Headers of the answer to the POST. */
  opened?: Record<string, string>
}

/** A request as it came, with how many bytes of its body did. */
export interface FragileRequest {
  line: string
  bytes: number
}

/** A registry for one blob that keeps to the specification but for what a test wants broken. */
export interface FragileRegistry extends AsyncDisposable {
  readonly host: string
  readonly requests: FragileRequest[]
  /** What it does otherwise from now on can be changed. */
  readonly options: FragileOptions
  /** Changes a byte of the upload. */
  damage(): void
  /** `METHOD first-last` of each request with a body, and of the PUT at the end. */
  bodies(): string[]
  /** How many bytes of bodies came. */
  received(): number
  /** The blobs that are in place. */
  readonly blobs: Map<string, Buffer>
  /** How many connections were made. */
  connections(): number
}

/** Starts one on a loopback port. Each answer gives the upload another Location, and only the newest is good (rule R46). */
export async function startFragile(options: FragileOptions = {}): Promise<FragileRegistry> {
  const requests: FragileRequest[] = []
  const shown: string[] = []
  const blobs = new Map<string, Buffer>()
  let upload: { id: string; bytes: Buffer } | undefined
  let ids = 0
  let bodies = 0
  let connections = 0
  let asked = 0
  const range = options.range ?? (count => `0-${Math.max(count - 1, 0)}`)

  const state = (shown = range(upload?.bytes.length ?? 0)): Record<string, string> => {
    if (upload === undefined) return {}
    return { location: `/uploads/${upload.id}${options.query ?? ''}`, ...(shown !== '' && { range: shown }) }
  }

  async function receive(request: IncomingMessage, response: ServerResponse, seen: FragileRequest) {
    const length = Number(request.headers['content-length'] ?? 0)
    const first = /^(\d+)-/.exec(request.headers['content-range'] ?? '')?.[1]
    const start = first === undefined ? 0 : Number(first)
    shown.push(`${request.method}${length === 0 ? '' : ` ${start}-${start + length - 1}`}`)
    const cut = length === 0 ? undefined : options.cuts?.[bodies]
    bodies += length === 0 ? 0 : 1
    const isTooLarge = length > (options.bodyLimit ?? Number.POSITIVE_INFINITY)
    const isStrayed = upload === undefined || (first !== undefined && Number(first) !== upload.bytes.length)
    const { socket } = request
    const chunks: Buffer[] = []
    try {
      for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
        chunks.push(chunk)
        seen.bytes += chunk.length
        if (cut !== undefined && seen.bytes >= cut) break
      }
    } catch {
      // The client went away.
    }
    if (options.silent === true) return
    if (isTooLarge) return void response.writeHead(413).end()
    if (upload === undefined) return void response.writeHead(404).end()
    if (isStrayed) return void response.writeHead(416, state()).end()
    upload.bytes = Buffer.concat([upload.bytes, Buffer.concat(chunks).subarray(0, cut)])
    if (cut !== undefined) return void socket.destroy()
    const instead = options.instead?.(shown.length, request.method ?? '')
    if (instead !== undefined) {
      const headers = instead.range === undefined ? {} : { ...state(), range: instead.range }
      return void response.writeHead(instead.status, headers).end(instead.body)
    }
    upload.id = `${++ids}`
    if (request.method === 'PATCH') return void response.writeHead(202, state()).end()
    const digest = new URL(`http://x${request.url}`).searchParams.get('digest') ?? ''
    const isRight = digestOf(upload.bytes) === digest
    if (isRight) blobs.set(digest, upload.bytes)
    upload = undefined
    if (isRight) response.writeHead(201).end()
    else response.writeHead(400).end('{"errors":[{"code":"DIGEST_INVALID","message":"wrong"}]}')
  }

  const server = createServer(async (request, response) => {
    response.on('error', () => {})
    const seen = { line: `${request.method} ${request.url}`, bytes: 0 }
    requests.push(seen)
    const isNewest = request.url?.startsWith(`/uploads/${upload?.id}`) === true
    if (request.method === 'POST') {
      upload = { id: `${++ids}`, bytes: Buffer.alloc(0) }
      response.writeHead(202, { ...state(), ...options.opened }).end()
    } else if (request.method === 'HEAD') {
      const size = blobs.get(request.url?.split('/').at(-1) ?? '')?.length
      response.writeHead(size === undefined ? 404 : 200, { 'content-length': size ?? 0 }).end()
    } else if (request.method === 'PUT' || request.method === 'PATCH') {
      if (!isNewest) upload = undefined
      await receive(request, response, seen)
    } else if (request.method === 'GET' && ++asked <= (options.busy ?? 0)) {
      response.writeHead(409).end()
    } else if (request.method === 'GET') {
      response.writeHead(options.statusAnswer ?? (isNewest ? 204 : 404), state(options.statusRange)).end()
    } else {
      upload = undefined
      response.writeHead(204).end()
    }
  })
  server.on('connection', () => {
    connections++
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    options,
    damage: () => void upload?.bytes.write('damaged'),
    blobs,
    bodies: () => shown,
    received: () => requests.reduce((sum, { bytes }) => sum + bytes, 0),
    connections: () => connections,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
