import { expect, test } from 'vitest'
import { clientOf, MANIFEST } from '../../test/support/registry-fixtures.js'
import { type Answer, answer, startScripted } from '../../test/support/scripted-server.js'
import { digestOf } from '../content/digest.js'

const DIGEST = digestOf(MANIFEST.bytes, 'sha512')
const BY_SHA512 = { ...MANIFEST, descriptor: { ...MANIFEST.descriptor, digest: DIGEST } }

/** Takes a digest with so many tags at most, and says which it set. */
function taking(maximum: number, status: number): Answer {
  return ({ path }, response) => {
    const tags = new URL(path, 'http://x').searchParams.getAll('tag')
    if (tags.length > maximum) response.writeHead(status).end()
    else response.writeHead(201, { 'oci-tag': tags.join(', ') }).end()
  }
}

async function put(server: { host: string }, tags: string[]) {
  const { client, context, events } = clientOf()
  await using _ = client
  await client.repository(server.host, 'a').putManifest(BY_SHA512, tags, context)
  return events
}

test.each([414, 431])('R24: after %i the tags go in parts', async status => {
  await using server = await startScripted([[/^PUT /, taking(2, status)]])
  const events = await put(server, ['a', 'b', 'c', 'd', 'e'])
  const queries = server.lines().map(line => line.split('?')[1] ?? '')
  expect(queries).toEqual([
    'tag=a&tag=b&tag=c&tag=d&tag=e',
    'tag=a&tag=b&tag=c',
    'tag=a&tag=b',
    'tag=c',
    'tag=d&tag=e',
  ])
  expect(events).toEqual([])
})

test('R24: a registry that takes none with the digest gets them one by one', async () => {
  await using server = await startScripted([[/^PUT /, taking(0, 414)]])
  const events = await put(server, ['a', 'b'])
  const targets = server.lines().map(line => line.replace(`PUT /v2/a/manifests/${DIGEST}`, 'DIGEST'))
  expect(targets.slice(-2)).toEqual(['PUT /v2/a/manifests/a', 'PUT /v2/a/manifests/b'])
  expect(targets).toContain('DIGEST')
  expect(events.map(({ type }) => type)).toEqual(['warning', 'warning'])
})

test('R24: only the tags that the registry names are taken for set', async () => {
  await using server = await startScripted([
    [/tag=/, answer(201, { 'oci-tag': ['a, b', 'c'] })],
    [/./, answer(201)],
  ])
  await put(server, ['a', 'b', 'c', 'd'])
  expect(server.lines().slice(1)).toEqual(['PUT /v2/a/manifests/d'])
})

test.each([200, 201, 202, 204])('R22: %i without a Location is a success', async status => {
  await using server = await startScripted([[/^PUT /, answer(status)]])
  const { client, context } = clientOf()
  await using _ = client
  await client.repository(server.host, 'a').putManifest(MANIFEST, ['1'], context)
  expect(server.seen[0]?.body).toEqual(MANIFEST.bytes)
})

test('R22: what was stored under another digest is no success', async () => {
  const other = digestOf(Buffer.from('other'))
  await using server = await startScripted([[/^PUT /, answer(201, { 'docker-content-digest': other })]])
  const { client, context } = clientOf()
  await using _ = client
  const putting = client.repository(server.host, 'a').putManifest(MANIFEST, ['1'], context)
  await expect(putting).rejects.toMatchObject({ kind: 'corrupt', code: 'digest-mismatch' })
})
