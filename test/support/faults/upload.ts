import { request as httpRequest } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { reset } from '../reset.js'
import {
  changed,
  type Exchange,
  errorBody,
  type Fault,
  HTML_TYPE,
  headerOf,
  instead,
  JSON_TYPE,
  type WireAnswer,
  withHeaders,
} from './fault.js'

/** The Location of an answer, with everything. */
function locationOf(answer: WireAnswer, { scheme, host }: Exchange): URL {
  return new URL(headerOf(answer, 'location'), `${scheme}://${host}`)
}

function located(change: (location: URL, exchange: Exchange) => string | undefined): Fault {
  return withHeaders((answer, exchange) => ({ location: change(locationOf(answer, exchange), exchange) }))
}

function ranged(range: (from: string) => string): Fault {
  return withHeaders(answer => ({ range: range(headerOf(answer, 'range')) }))
}

/** Answers before the body has come, reads no more of it, and closes. */
function early(status: number, headers: Record<string, string>, body: string): Fault {
  return async ({ request, response }) => {
    request.pause()
    response
      .writeHead(status, { ...headers, connection: 'close', 'content-length': `${body.length}` })
      .end(body)
    await sleep(50)
    request.socket.destroy()
  }
}

/** Takes so many bytes of a body, has the real registry keep them, and breaks off. */
export function resetBodyAfter(bytes: number): Fault {
  return async ({ request, real }) => {
    const [hostname, port] = real.split(':')
    const { method, url: path, headers } = request
    const asking = httpRequest({ hostname, port, method, path, headers, agent: false }).on('error', () => {})
    let size = 0
    for await (const chunk of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      asking.write(chunk.subarray(0, bytes - size))
      size += chunk.length
      if (size >= bytes) break
    }
    await sleep(20)
    asking.destroy()
    await reset(request.socket)
  }
}

/** What goes wrong with an upload. */
export const UPLOAD_FAULTS = {
  'location-relative': located(({ pathname, search }) => `${pathname}${search}`),
  'location-without-scheme': located(({ host, pathname, search }) => `${host}${pathname}${search}`),
  'location-absolute': located(location => location.href),
  'location-http': located(location => location.href.replace(/^https:/, 'http:')),
  'location-other-port': located(({ pathname, search }, { real }) => `http://${real}${pathname}${search}`),
  'location-changing': located(location => {
    location.searchParams.append('state', `${Date.now()}`)
    return location.href
  }),
  'location-missing': located(() => undefined),
  'range-off-by-one': ranged(range => range.replace(/\d+$/, end => `${Number(end) + 1}`)),
  'range-with-unit': ranged(range => `bytes=${range}`),
  'range-0-0': ranged(() => '0-0'),
  'range-0--1': ranged(() => '0--1'),
  'patch-200': changed(answer => ({ ...answer, status: 200 })),
  'patch-201': changed(answer => ({ ...answer, status: 201 })),
  'patch-204': changed(answer => ({ ...answer, status: 204, body: Buffer.alloc(0) })),
  /** The blob is stored, and nobody hears of it. */
  'put-reply-lost': async exchange => {
    await exchange.forward()
    await reset(exchange.request.socket)
  },
  'body-cut': resetBodyAfter(1000),
  'upload-forgotten': instead(404, JSON_TYPE, errorBody('BLOB_UPLOAD_UNKNOWN')),
  'early-401': async exchange => {
    const realm = `${exchange.scheme}://${exchange.host}/token`
    const challenge = { 'www-authenticate': `Bearer realm="${realm}",service="faulty",error="invalid_token"` }
    await early(401, { ...JSON_TYPE, ...challenge }, errorBody('UNAUTHORIZED'))(exchange)
  },
  'early-413': early(413, HTML_TYPE, '<html><title>413 Request Entity Too Large</title></html>'),
} satisfies Record<string, Fault>
