import { EventEmitter, once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import { Deadline } from './deadline.js'

const LONG_MS = 60_000

test('is aborted when the time is up, however much garbage is collected meanwhile', async () => {
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const waitFor = async (limitMs: number) => {
    using deadline = new Deadline(limitMs, new AbortController().signal)
    await once(new EventEmitter(), 'never', { signal: deadline.signal })
  }
  const waiting = waitFor(100).catch(error => error.cause)
  await sleep(20)
  collectGarbage()
  await sleep(20)
  collectGarbage()
  expect(await waiting).toMatchObject({ name: 'TimeoutError' })
})

test('is aborted with any of the other signals, for its reason', () => {
  const controller = new AbortController()
  using deadline = new Deadline(LONG_MS, new AbortController().signal, controller.signal)
  expect(deadline.signal.aborted).toBe(false)
  controller.abort('enough')
  expect(deadline.signal.reason).toBe('enough')
})

test('is aborted from the start when another signal is', () => {
  using deadline = new Deadline(LONG_MS, AbortSignal.abort('before'))
  expect(deadline.signal.reason).toBe('before')
})

test('is never aborted after it was disposed', async () => {
  const controller = new AbortController()
  const deadline = new Deadline(5, controller.signal)
  deadline[Symbol.dispose]()
  controller.abort()
  await sleep(15)
  expect(deadline.signal.aborted).toBe(false)
})
