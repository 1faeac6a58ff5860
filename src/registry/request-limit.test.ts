import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { requestOf } from '../../test/support/fake-sender.js'
import { createContext } from '../content/context.js'
import { withRequestLimit } from './request-limit.js'
import type { RegistryRequest, RegistryResponse, Send } from './send.js'

/** A host whose requests are answered when a test says so. */
function host() {
  const open: ((status: number, headers?: Record<string, string>) => void)[] = []
  const next: Send = request =>
    new Promise(resolve => {
      open.push((status, headers = {}) =>
        resolve({ status, headers, url: request.url, bytes: Buffer.alloc(0) } as RegistryResponse),
      )
    })
  let now = 0
  const rests: number[] = []
  const send = withRequestLimit(next, {
    now: () => now,
    sleep: async delayMs => {
      rests.push(delayMs)
      now += delayMs
    },
  })
  /** Sends some requests, and waits until they are under way or held back. */
  const start = async (count: number, fields: Partial<RegistryRequest> = {}) => {
    const sent = Array.from({ length: count }, () => send(requestOf(fields)))
    for (const one of sent) one.catch(() => {})
    await turn()
    return sent
  }
  /** Answers the oldest requests. */
  const reply = async (count: number, status: number, headers?: Record<string, string>) => {
    for (const one of open.splice(0, count)) one(status, headers)
    await turn()
  }
  return { open, rests, send, start, reply }
}

test('R201: holds nothing back from a host that never complained', async () => {
  const { open, start } = host()
  await start(100)
  expect(open).toHaveLength(100)
})

test('R201: half as many requests at a time after a 429, once for those of one burst', async () => {
  const { open, start, reply } = host()
  await start(16)
  await reply(16, 429)
  await start(16)
  expect(open).toHaveLength(8)
  await reply(8, 429)
  expect(open).toHaveLength(4)
})

test('R201: never less than one at a time, and one more after ten answers', async () => {
  const { open, start, reply } = host()
  for (let times = 0; times < 3; times++) {
    await start(1)
    await reply(1, 429)
  }
  await start(100)
  expect(open).toHaveLength(1)
  for (let answers = 0; answers < 10; answers++) await reply(1, 200)
  expect(open).toHaveLength(2)
  for (let answers = 0; answers < 10; answers++) await reply(1, 404)
  expect(open).toHaveLength(3)
})

test('R201: a request with a body is not held back: what it waits for may be', async () => {
  const { open, start, reply } = host()
  await start(1)
  await reply(1, 429)
  await start(1)
  await start(3, { method: 'PUT', body: { length: 1, open: async () => Buffer.from('x') } })
  expect(open).toHaveLength(4)
})

test('R198: nobody asks a host that wants to be left alone', async () => {
  const { rests, start, reply } = host()
  await start(2)
  await reply(1, 429, { 'retry-after': '7' })
  await start(1)
  expect(rests).toEqual([7000])
})

test('R197: does not wait for hours', async () => {
  const { rests, start, reply } = host()
  await start(1)
  await reply(1, 429, { 'retry-after': '7200' })
  await start(1)
  expect(rests).toEqual([])
})

test('another host is another matter', async () => {
  const { open, start, reply } = host()
  await start(1)
  await reply(1, 429)
  await start(5, { url: new URL('https://other.example/') })
  expect(open).toHaveLength(5)
})

test('one that is aborted while it is held back leaves its place to the next', async () => {
  const { open, send, start, reply } = host()
  await start(1)
  await reply(1, 429)
  await start(1)
  const controller = new AbortController()
  const context = createContext({ signal: controller.signal })
  const held = send(requestOf({ context }))
  const [last] = await start(1)
  controller.abort(new Error('stop'))
  await expect(held).rejects.toThrow('stop')
  await reply(1, 200)
  expect(open).toHaveLength(1)
  await reply(1, 200)
  expect((await last)?.status).toBe(200)
})
