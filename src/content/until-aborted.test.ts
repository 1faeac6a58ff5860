import { expect, test } from 'vitest'
import { untilAborted } from './until-aborted.js'

async function* endless(): AsyncGenerator<Buffer> {
  yield Buffer.from('first')
  await new Promise(() => {})
}

test('gives what comes, to its end', async () => {
  const chunks = async function* () {
    yield Buffer.from('a')
    yield Buffer.from('b')
  }
  const given: string[] = []
  for await (const chunk of untilAborted(chunks(), new AbortController().signal)) given.push(`${chunk}`)
  expect(given).toEqual(['a', 'b'])
})

test('is told of an abort while it waits for what never comes', async () => {
  const controller = new AbortController()
  const chunks = untilAborted(endless(), controller.signal)
  expect(`${(await chunks.next()).value}`).toBe('first')
  const next = chunks.next()
  controller.abort(new Error('stop'))
  await expect(next).rejects.toThrow('stop')
})

test('ends what it reads when its reader leaves early, or was aborted before', async () => {
  let ended = 0
  const chunks = async function* () {
    try {
      for (;;) yield Buffer.from('x')
    } finally {
      ended++
    }
  }
  for await (const _ of untilAborted(chunks(), new AbortController().signal)) break
  expect(ended).toBe(1)
  await expect(untilAborted(endless(), AbortSignal.abort(new Error('before'))).next()).rejects.toThrow(
    'before',
  )
})
