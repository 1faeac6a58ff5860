import { PassThrough } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { joinStreams } from './join-streams.js'

test('the last stream gives what the first had', async () => {
  const from = new PassThrough()
  const joined = joinStreams(from, new PassThrough())
  from.end('all of it')
  expect(String(await buffer(joined))).toBe('all of it')
})

test('the last stream fails with the error of the first', async () => {
  const from = new PassThrough()
  const joined = joinStreams(from, new PassThrough())
  from.destroy(new Error('the first'))
  await expect(buffer(joined)).rejects.toThrow('the first')
})

test('the last stream fails when the first is closed before its end, and nobody waits for ever', async () => {
  const from = new PassThrough()
  const joined = joinStreams(from, new PassThrough())
  from.write('a part')
  from.destroy()
  await expect(buffer(joined)).rejects.toThrow('what was being read was closed before its end')
})

test('the first stream is closed with the last', async () => {
  const from = new PassThrough()
  joinStreams(from, new PassThrough()).destroy()
  await new Promise(resolve => from.once('close', resolve))
})
