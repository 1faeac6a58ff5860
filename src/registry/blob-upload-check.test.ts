import { expect, test } from 'vitest'
import { blobFrom, clientOf, DIGEST } from '../../test/support/registry-fixtures.js'
import { type Answer, answer, refusal, startScripted } from '../../test/support/scripted-server.js'
import { digestMismatch } from '../content/verify.js'

const OTHER = `sha256:${'0'.repeat(64)}` as const

/** Pushes a blob that can be checked by itself to a registry that answers its PUT. */
async function pushTo(put: Answer, isDamaged: boolean) {
  await using server = await startScripted([
    [/^POST /, answer(202, { location: '/u' })],
    [/^PUT /, put],
    [/^DELETE /, answer(204)],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  let checks = 0
  const check = async () => {
    checks++
    if (isDamaged) throw digestMismatch('blob x of oci:y', DIGEST, OTHER)
  }
  const blob = { ...blobFrom(repository), check }
  const outcome = await repository.putBlob(blob, context).catch((error: unknown) => error)
  return { outcome, checks, methods: server.seen.map(({ method }) => method) }
}

const confirmed = answer(201, { 'docker-content-digest': DIGEST })
const WRONG = {
  code: 'digest-mismatch',
  message: expect.stringMatching(/^blob x of oci:y should have the digest/),
}

test('is not checked where the registry says that it found the right digest', async () => {
  expect(await pushTo(confirmed, false)).toMatchObject({ outcome: 'copied', checks: 0 })
})

test.each([
  ['does not say which digest it found', answer(201)],
  ['says that it found another one', answer(201, { 'docker-content-digest': OTHER })],
  ['refuses the digest', refusal(400, 'DIGEST_INVALID')],
  ['fails', refusal(503, 'UNKNOWN')],
])('R205: a blob that is not what it should be is found where the registry %s', async (_what, put) => {
  const { outcome, checks, methods } = await pushTo(put, true)
  expect({ outcome, checks }).toMatchObject({ outcome: WRONG, checks: 1 })
  expect(methods).toEqual(['POST', 'PUT', 'DELETE'])
})

test('R205: it is as well to be in place where it is right', async () => {
  expect(await pushTo(answer(201), false)).toMatchObject({ outcome: 'copied', checks: 1 })
})

test('the registry has the last word where the blob is right', async () => {
  const { outcome, checks } = await pushTo(refusal(400, 'DIGEST_INVALID'), false)
  expect({ outcome, checks }).toMatchObject({
    outcome: { status: 400, codes: ['DIGEST_INVALID'] },
    checks: 1,
  })
})

test('a refusal for another reason says nothing about the blob', async () => {
  expect(await pushTo(refusal(403, 'DENIED'), true)).toMatchObject({ outcome: { status: 403 }, checks: 0 })
})
