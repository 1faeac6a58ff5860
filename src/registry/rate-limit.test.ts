import { expect, test } from 'vitest'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'

const HUB = {
  'ratelimit-limit': '100;w=21600',
  'ratelimit-remaining': '0;w=21600',
  'docker-ratelimit-source': '203.0.113.7',
}

async function pullFrom(headers: Record<string, string>) {
  await using server = await startScripted([[/./, answer(429, headers, 'Too Many Requests')]])
  const { client, context, delays } = clientOf({
    retry: { now: () => delays.reduce((sum, delayMs) => sum + delayMs, 0) },
  })
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const error: unknown = await repository.getManifest('1', context).catch((reason: unknown) => reason)
  return { error, delays, host: server.host }
}

test('R196, R197: a limit that lasts for hours is told at once, with what is left and for whom', async () => {
  const { error, delays, host } = await pullFrom({ ...HUB, 'retry-after': '14400' })
  expect(error).toMatchObject({
    kind: 'network',
    code: 'rate-limited',
    message: expect.stringContaining('the registry limits the rate of requests: GET'),
    hint: `${host} allows 100 requests in 6 hours, 0 are left, it counts those of 203.0.113.7. Try again in 4 hours, or log in for a higher limit`,
  })
  expect(delays).toEqual([])
})

test.each([
  ['61', 0],
  ['60', 3],
  ['Thu, 01 Jan 1970 00:02:00 GMT', 0],
])('R197: Retry-After %s is waited for %i times', async (header, times) => {
  const { error, delays } = await pullFrom({ 'retry-after': header })
  expect(delays).toHaveLength(times)
  expect(error).toMatchObject({ code: 'rate-limited' })
})

test('R196, R231: a limit without numbers, or with nonsense, is told without them', async () => {
  const { error } = await pullFrom({ 'ratelimit-limit': 'many', 'retry-after': '90' })
  expect(error).toMatchObject({ hint: 'Try again in 2 minutes, or log in for a higher limit' })
  const plain = await pullFrom({ 'retry-after': '-5' })
  expect(plain.error).toMatchObject({ hint: 'Try again later, or log in for a higher limit' })
  expect(plain.delays).toHaveLength(3)
})
