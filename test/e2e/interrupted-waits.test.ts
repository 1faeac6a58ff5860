import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { startRaw } from '../support/raw-server.js'
import { regctlWith } from '../support/run.js'
import { type Answer, answer, startScripted } from '../support/scripted-server.js'

/** Much shorter than any of the waits. */
const TIME_LIMIT_MS = 10_000

const silence: Answer = () => {}

/** Lists tags, and presses Ctrl-C once `isWaiting`. */
async function interrupt(host: string, isWaiting: () => boolean) {
  const controller = new AbortController()
  const options = { interrupt: controller.signal, timeoutMs: TIME_LIMIT_MS }
  const running = regctlWith(options, 'tags', `${host}/app`)
  while (!isWaiting()) await sleep(10)
  // The last answer is on its way.
  await sleep(100)
  controller.abort()
  const { code, stderr } = await running
  return { code, error: stderr.split('\n').find(line => line.startsWith('error:')) }
}

const INTERRUPTED = { code: 130, error: 'error: interrupted' }

it('R254: Ctrl-C ends the wait for a connection', async () => {
  await using server = await startRaw(() => {})
  expect(await interrupt(server.host, () => server.sockets.length > 0)).toEqual(INTERRUPTED)
})

it.each<[string, Answer, RegExp]>([
  ['an answer', silence, /tags/],
  ['the time that a registry asks for', answer(503, { 'retry-after': '60' }), /tags/],
  ['a token', answer(401, { 'www-authenticate': 'Bearer realm="/token",service="s"' }), /token/],
])('R254: Ctrl-C ends the wait for %s', async (_what, answered, awaited) => {
  await using server = await startScripted([
    [/token/, silence],
    [/./, answered],
  ])
  const isWaiting = () => server.lines().some(line => awaited.test(line))
  expect(await interrupt(server.host, isWaiting)).toEqual(INTERRUPTED)
})
