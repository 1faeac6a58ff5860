import { expect, test } from 'vitest'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import { anonymous } from '../credentials/credential-store.js'
import { RegistryClient } from './client.js'

const BYTES = Buffer.from('0123456789')
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }

async function readEnd(...answers: Answer[]) {
  await using server = await startScripted([[/./, ...answers]])
  await using client = new RegistryClient({ credentials: anonymous, retry: { sleep: async () => {} } })
  const end = await client.repository(server.host, 'a').readBlobEnd(DESCRIPTOR, 4, createContext())
  return {
    end: end === undefined ? undefined : `${end}`,
    ranges: server.seen.map(({ headers }) => headers.range),
  }
}

test('reads the last bytes of a blob by their range', async () => {
  const found = await readEnd(
    answer(206, { 'content-range': 'bytes 6-9/10', 'content-length': '4' }, BYTES.subarray(6)),
  )
  expect(found).toEqual({ end: '6789', ranges: ['bytes=6-9'] })
})

test.each([
  ['all of it', answer(200, {}, BYTES)],
  ['another range', answer(206, { 'content-range': 'bytes 0-3/10' }, BYTES.subarray(0, 4))],
  ['none', answer(416)],
  ['an error', answer(503)],
  ['no blob', answer(404)],
])('does without it where a registry gives %s, and asks once', async (_name, response) => {
  expect(await readEnd(response)).toEqual({ end: undefined, ranges: ['bytes=6-9'] })
})
