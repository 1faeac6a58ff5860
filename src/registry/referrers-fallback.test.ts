import { expect, test } from 'vitest'
import { clientOf, DIGEST, MANIFEST } from '../../test/support/registry-fixtures.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'

const document = JSON.parse(`${Buffer.from(MANIFEST.bytes)}`)
const REFERRER = rawManifest(
  MediaType.ociManifest,
  Buffer.from(JSON.stringify({ ...document, subject: MANIFEST.descriptor })),
)
const OTHER = { ...MANIFEST.descriptor, digest: DIGEST }

function list(etag: string, manifests: readonly object[]) {
  const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }
  return answer(200, { 'content-type': MediaType.ociIndex, etag }, JSON.stringify(index))
}

test('R82: keeps what another client adds to a list of referrers at the same time', async () => {
  await using server = await startScripted([
    [/^GET .*\/referrers\//, answer(404)],
    [
      /^GET .*\/manifests\/sha256-/,
      list('"1"', []),
      list('"2"', [OTHER]),
      list('"3"', [OTHER, REFERRER.descriptor]),
    ],
    [/^PUT .*\/manifests\/sha256-/, answer(412), answer(201)],
    [/^PUT/, answer(201)],
    [/^HEAD/, answer(404)],
    [/./, answer(200)],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  await client.repository(server.host, 'a').putManifest(REFERRER, [], context)
  const puts = server.seen.filter(({ method, path }) => method === 'PUT' && path.includes('/sha256-'))
  expect(puts.map(({ headers }) => headers['if-match'])).toEqual(['"1"', undefined])
  expect(JSON.parse(`${puts[1]?.body}`).manifests).toMatchObject([
    OTHER,
    { digest: REFERRER.descriptor.digest },
  ])
  expect(events).toEqual([])
})
