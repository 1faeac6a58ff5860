import { expect, test } from 'vitest'
import { type FakeAnswer, fakeSender, requestOf, systemError } from '../../test/support/fake-sender.js'
import { createContext } from '../content/context.js'
import type { CopyEvent } from '../content/events.js'
import { defaultRetryOptions, Retrier, type RetryOptions, retryAfterMs } from './retry.js'

function retry(answers: FakeAnswer[], options: Partial<RetryOptions> = {}) {
  const { send, seen } = fakeSender(...answers)
  const delays: number[] = []
  const events: CopyEvent[] = []
  const retrier = new Retrier({
    ...defaultRetryOptions,
    random: () => 1,
    sleep: async delayMs => void delays.push(delayMs),
    ...options,
  })
  const context = createContext({ emit: event => events.push(event) })
  return { send: retrier.wrap(send), request: requestOf({ context }), seen, delays, events }
}

test('R238: waits longer each time, five attempts in all, and returns the last answer', async () => {
  const { send, request, seen, delays } = retry([{ status: 503 }])
  expect(await send(request)).toMatchObject({ status: 503, attempts: 5 })
  expect(seen).toHaveLength(5)
  expect(delays).toEqual([500, 1000, 2000, 4000])
})

test.each([400, 401, 403, 404, 501, 505])('R237: does not repeat after %i', async status => {
  const { send, request, seen } = retry([{ status }])
  expect((await send(request)).attempts).toBe(1)
  expect(seen).toHaveLength(1)
})

test.each([
  ['CERT_HAS_EXPIRED', 1, 'certificate has expired'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 1, 'certificate signed by unknown authority'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 1, 'certificate is not for r.example'],
  ['ERR_SSL_WRONG_VERSION_NUMBER', 1, 'server gave HTTP response to HTTPS client'],
  ['ENOTFOUND', 1, 'no such host r.example'],
  ['ECONNREFUSED', 2, 'connection refused after 2 attempts'],
  ['EAI_AGAIN', 5, 'the name server did not answer after 5 attempts'],
  ['ETIMEDOUT', 5, 'timed out after 5 attempts'],
  ['HTTP_CONNECT_TIMEOUT', 5, 'there was no connection in time after 5 attempts'],
  ['HTTP_PROXY_TIMEOUT', 5, 'the proxy did not answer in time after 5 attempts'],
])('R153, R237: %s is tried %i times and told as "%s"', async (code, attempts, text) => {
  const { send, request, seen } = retry([systemError(code)])
  await expect(send(request)).rejects.toMatchObject({
    kind: 'network',
    message: expect.stringContaining(`test of r.example/a failed: GET r.example/v2/a/blobs/x failed: `),
  })
  await expect(send(request)).rejects.toThrow(text)
  expect(seen).toHaveLength(attempts * 2)
})

test('R250: repeats at once when a kept connection was closed', async () => {
  const { send, request, delays, events } = retry([systemError('ECONNRESET'), { status: 200 }])
  expect(await send(request)).toMatchObject({ status: 200, attempts: 2 })
  expect(delays).toEqual([])
  expect(events).toEqual([
    {
      type: 'retrying',
      operation: 'test of r.example/a',
      cause: 'the connection was closed',
      attempt: 1,
      delayMs: 0,
    },
  ])
})

test('R238: a client gives up early once many requests have failed', async () => {
  const { send, request, seen } = retry([{ status: 500 }], { budget: 6 })
  for (let times = 0; times < 3; times++) await send(request)
  expect(seen).toHaveLength(5 + 3 + 1)
})

test('asks for no more attempts than the request allows', async () => {
  const { send, request, seen } = retry([{ status: 500 }])
  await send({ ...request, attempts: 1 })
  expect(seen).toHaveLength(1)
})

test('an aborted signal ends it without another attempt', async () => {
  const controller = new AbortController()
  const { send, request, seen } = retry([{ status: 500 }], {
    sleep: async () => {
      controller.abort()
      throw new Error('aborted')
    },
  })
  const context = createContext({ signal: controller.signal })
  await expect(send({ ...request, context })).rejects.toMatchObject({ kind: 'interrupted' })
  await expect(send({ ...request, context })).rejects.toMatchObject({ kind: 'interrupted' })
  expect(seen).toHaveLength(1)
})

test.each([
  ['7', 7000],
  ['Thu, 01 Jan 1970 00:00:10 GMT', 9000],
  ['-1', undefined],
  ['soon', undefined],
  ['Thu, 01 Jan 1970 00:00:00 GMT', undefined],
  [undefined, undefined],
])('R198: Retry-After %s is %s ms', (text, expected) => {
  expect(retryAfterMs(text, 1000)).toBe(expected)
})
