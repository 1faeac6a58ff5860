import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { expect, it } from 'vitest'
import { confirm } from './confirm.js'

async function ask(typed: string | undefined, controller = new AbortController()) {
  const input = new PassThrough()
  const output = new PassThrough()
  const answer = confirm('Delete it?', { input, output, signal: controller.signal })
  if (typed === undefined) controller.abort()
  else input.end(typed)
  const isYes = await answer
  return { isYes, shown: await text(output.end()) }
}

it.each(['y\n', 'Y\n', 'yes\n', ' YES \n'])('takes %j for a yes', async typed => {
  expect(await ask(typed)).toEqual({ isYes: true, shown: 'Delete it? [y/N] ' })
})

it.each(['\n', 'n\n', 'yep\n', 'no y\n'])('takes %j for a no', async typed => {
  expect((await ask(typed)).isYes).toBe(false)
})

it('takes the end of the input for a no, and ends the line', async () => {
  const { isYes, shown } = await ask('')
  expect(isYes).toBe(false)
  expect(shown).toMatch(/^Delete it\? \[y\/N\] \r?\n$/)
})

it('ends with an error when it is interrupted', async () => {
  await expect(ask(undefined)).rejects.toMatchObject({ name: 'AbortError' })
})
