import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { randomBytes } from '../../test/support/random-bytes.js'
import { digestOf } from './digest.js'
import { HashThread } from './hash-thread.js'

const BYTES = randomBytes(1, 3_000_000)

/** A copy in memory that threads share. */
function shared(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(new SharedArrayBuffer(bytes.length))
  copy.set(bytes)
  return copy
}

/** The thread of the process; there is one on any machine that has two cores. */
function takeThread(): HashThread {
  const thread = HashThread.take()
  if (thread === undefined) throw new Error('this test needs two cores')
  return thread
}

it.each(['sha256', 'sha512'] as const)('gives the same %s as is made here', async algorithm => {
  using thread = takeThread()
  const digester = thread.digester(algorithm)
  for (let at = 0; at < BYTES.length; at += 700_001)
    await digester.update(shared(BYTES.subarray(at, at + 700_001)))
  expect(digester.size).toBe(BYTES.length)
  expect(await digester.digest()).toBe(digestOf(BYTES, algorithm))
})

it('hashes several things at once, from memory that is shared or not, and is used again', async () => {
  using thread = takeThread()
  const digests = await Promise.all(
    [1, 2, 3, 4].map(async count => {
      const digester = thread.digester('sha256')
      const memory = count % 2 === 0 ? shared(BYTES) : Buffer.from(BYTES)
      for (let at = 0; at < count; at++) {
        memory[0] = at
        await digester.update(memory.subarray(0, 1000))
      }
      return await digester.digest()
    }),
  )
  const expected = [1, 2, 3, 4].map(count =>
    digestOf(
      Buffer.concat(
        Array.from({ length: count }, (_, at) => Buffer.concat([Buffer.from([at]), BYTES.subarray(1, 1000)])),
      ),
    ),
  )
  expect(digests).toEqual(expected)
})

it('is had again while it lives, and ends when nobody has it for a while', async () => {
  const digestBy = async (thread: HashThread) => await thread.digester('sha256').digest()
  const first = takeThread()
  const empty = digestOf(new Uint8Array())
  expect(await digestBy(first)).toBe(empty)
  first[Symbol.dispose]()
  const second = takeThread()
  expect(second).toBe(first)
  second[Symbol.dispose]()
  const lives = async () => (await digestBy(first).catch(() => undefined)) !== undefined
  while (await lives()) await sleep(20)
  await expect(digestBy(first)).rejects.toThrow('a thread that hashes ended early')
  using third = takeThread()
  expect(await digestBy(third)).toBe(empty)
})
