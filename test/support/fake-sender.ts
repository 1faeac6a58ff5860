import type { IncomingHttpHeaders } from 'node:http'
import { Readable } from 'node:stream'
import { createContext } from '../../src/content/context.js'
import type { RegistryRequest, RegistryResponse, Send } from '../../src/registry/send.js'

/** A request to `https://r.example`, with what a test changes. */
export function requestOf(fields: Partial<RegistryRequest> = {}): RegistryRequest {
  return {
    operation: 'test of r.example/a',
    method: 'GET',
    url: new URL('https://r.example/v2/a/blobs/x'),
    headers: {},
    endpoint: { registry: 'r.example', base: new URL('https://r.example'), insecure: false },
    scopes: [{ resource: 'repository:a', actions: ['pull'] }],
    context: createContext(),
    ...fields,
  }
}

/** One answer of a {@link fakeSender}; an Error is thrown. */
export type FakeAnswer = { status: number; headers?: IncomingHttpHeaders; body?: string } | Error

/** A sender that gives answers one after another, the last one for ever, and remembers what it was sent. */
export function fakeSender(...answers: FakeAnswer[]): { send: Send; seen: RegistryRequest[] } {
  return answeringSender((_request, count) => {
    return answers[Math.min(count, answers.length - 1)] ?? new Error('there is no answer')
  })
}

/** A sender that answers what a function says, and remembers what it was sent. `count` is how often it was asked before. */
export function answeringSender(
  answerTo: (request: RegistryRequest, count: number) => FakeAnswer | Promise<FakeAnswer>,
): { send: Send; seen: RegistryRequest[] } {
  const seen: RegistryRequest[] = []
  const send: Send = async request => {
    const count = seen.length
    seen.push(request)
    const answer = await answerTo(request, count)
    if (answer instanceof Error) throw answer
    const bytes = Buffer.from(answer.body ?? '')
    const response: RegistryResponse = {
      status: answer.status,
      headers: answer.headers ?? {},
      url: request.url,
      body: Readable.from([bytes]),
      bytes,
      attempts: 1,
    }
    return response
  }
  return { send, seen }
}

/** An error as a socket gives it. */
export function systemError(code: string): Error {
  return Object.assign(new Error(`${code} of the test`), { code })
}
