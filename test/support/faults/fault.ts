import type { IncomingMessage, ServerResponse } from 'node:http'

/** An answer as it goes over the wire. What its headers say of its body need not be true. */
export interface WireAnswer {
  status: number
  headers: Record<string, string | string[]>
  body: Buffer
}

/** One request to a faulty registry, with what a fault can do about it. */
export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  /** `http` or `https` */
  readonly scheme: string
  /** The faulty registry itself, and another server that holds its blobs at `/NAME/DIGEST`; both `127.0.0.1:PORT`. */
  readonly host: string
  readonly store: string
  /** The real registry behind it, which speaks plain HTTP. */
  readonly real: string
  /** The request's body, to its end. */
  body(): Promise<Buffer>
  /** Has the real registry answer. */
  forward(): Promise<WireAnswer>
  send(answer: WireAnswer): void
}

/** What goes wrong with a request: answers it, or not. */
export type Fault = (exchange: Exchange) => void | Promise<void>

/** Answers in place of the registry, once the request has come whole. */
export function instead(
  status: number,
  headers: WireAnswer['headers'] = {},
  body: string | Buffer = '',
): Fault {
  return async exchange => {
    await exchange.body()
    exchange.send({ status, headers, body: Buffer.from(body) })
  }
}

/** Does what was asked, and changes the answer. */
export function changed(change: (answer: WireAnswer, exchange: Exchange) => WireAnswer): Fault {
  return async exchange => exchange.send(change(await exchange.forward(), exchange))
}

/** Does what was asked, and changes headers of the answer; undefined takes one away. */
export function withHeaders(
  headersOf: (answer: WireAnswer, exchange: Exchange) => Record<string, string | string[] | undefined>,
): Fault {
  return changed((answer, exchange) => {
    const headers = { ...answer.headers }
    for (const [name, value] of Object.entries(headersOf(answer, exchange))) {
      if (value === undefined) delete headers[name]
      else headers[name] = value
    }
    return { ...answer, headers }
  })
}

/** An error body as the distribution-spec has it. */
export function errorBody(code: string, message = 'refused'): string {
  return JSON.stringify({ errors: [{ code, message }] })
}

export const JSON_TYPE = { 'content-type': 'application/json' }
export const HTML_TYPE = { 'content-type': 'text/html' }

/** The one value of a header. */
export function headerOf(answer: WireAnswer, name: string): string {
  return `${answer.headers[name] ?? ''}`
}
