import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { RawManifest } from '../../src/content/store.js'
import { manifestOf, noise } from '../contract/store-fixtures.js'
import { KINDS, type RunningRegistry, startRegistry } from './collections.js'
import { pushImage } from './images.js'
import { errorCodeOf } from './raw-client.js'

const REPO = 'conformance/repo1'

describe.each(KINDS)('manifests over $name', kind => {
  let registry: RunningRegistry
  const client = () => registry.client
  const get = (target: string) => client().send('GET', `/v2/${REPO}/manifests/${target}`)

  beforeAll(async () => {
    registry = await startRegistry(kind)
  })
  afterAll(async () => {
    await registry.stop()
  })

  test('tells that there is a registry', async () => {
    for (const path of ['/v2/', '/v2']) {
      const ping = await client().send('GET', path)
      expect([ping.status, ping.headers['docker-distribution-api-version']]).toEqual([200, 'registry/2.0'])
    }
  })

  test('has lists for a repository that nothing was pushed to', async () => {
    const tags = await client().send('GET', '/v2/conformance/empty/tags/list')
    expect([tags.status, errorCodeOf(tags)]).toEqual([404, 'NAME_UNKNOWN'])
    const referrers = await client().send(
      'GET',
      `/v2/conformance/empty/referrers/${digestOf(Buffer.from('x'))}`,
    )
    expect([referrers.status, referrers.headers['content-type']]).toEqual([200, MediaType.ociIndex])
    expect(JSON.parse(referrers.body.toString())).toEqual({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [],
    })
  })

  test('answers 404 for a manifest that is not there, by digest and by tag', async () => {
    await pushImage(client(), REPO, 'makes the repository')
    for (const target of [digestOf(Buffer.from('missing')), 'missing-tag']) {
      const missing = await get(target)
      expect([missing.status, errorCodeOf(missing)]).toEqual([404, 'MANIFEST_UNKNOWN'])
      const head = await client().send('HEAD', `/v2/${REPO}/manifests/${target}`)
      expect([head.status, head.body.length]).toEqual([404, 0])
      expect((await client().send('DELETE', `/v2/${REPO}/manifests/${target}`)).status).toBe(404)
    }
  })

  test('refuses a malformed digest, when pushing and when pulling', async () => {
    const image = await pushImage(client(), REPO, 'malformed')
    for (const target of ['sha256:baddigeststring', 'md5:d41d8cd98f00b204e9800998ecf8427e']) {
      const put = await client().putManifest(REPO, target, image)
      expect([put.status, errorCodeOf(put)]).toEqual([400, 'DIGEST_INVALID'])
      expect((await get(target)).status).toBe(400)
    }
  })

  test.each(['.hidden', '-dash', 'a'.repeat(129), 'a%20b', 'a%2fb%2f..'])('refuses the tag %s', async tag => {
    const image = await pushImage(client(), REPO, 'bad tags')
    expect((await client().putManifest(REPO, tag, image)).status).toBeGreaterThanOrEqual(400)
    expect((await get(tag)).status).toBeGreaterThanOrEqual(400)
  })

  test('refuses bytes with another digest than the path says', async () => {
    const image = await pushImage(client(), REPO, 'bad digest')
    const spoiled = { ...image, bytes: Buffer.concat([image.bytes, Buffer.from('  ')]) }
    const put = await client().putManifest(REPO, image.descriptor.digest, spoiled)
    expect([put.status, errorCodeOf(put)]).toEqual([400, 'DIGEST_INVALID'])
  })

  test('tags a manifest by parameters, and echoes each tag', async () => {
    for (const algorithm of ['sha256', 'sha512'] as const) {
      const image = await pushImage(client(), REPO, `parameters ${algorithm}`, { algorithm })
      const tags = [`p1-${algorithm}`, `p2-${algorithm}`]
      const query = tags.map(tag => `tag=${tag}`).join('&')
      const put = await client().putManifest(REPO, `${image.descriptor.digest}?${query}`, image)
      expect([put.status, `${put.headers['oci-tag']}`.split(', ')]).toEqual([201, tags])
      for (const tag of tags) {
        const got = await get(tag)
        expect([got.status, got.headers['docker-content-digest']]).toEqual([200, image.descriptor.digest])
      }
    }
  })

  test('refuses a malformed tag among the parameters, and sets none of them', async () => {
    const image = await pushImage(client(), REPO, 'one bad parameter')
    const put = await client().putManifest(REPO, `${image.descriptor.digest}?tag=fine&tag=.bad`, image)
    expect([put.status, errorCodeOf(put)]).toEqual([400, 'TAG_INVALID'])
    expect((await get('fine')).status).toBe(404)
  })

  test('refuses an image whose layer is missing, and takes one whose missing layer is foreign', async () => {
    const image = await pushImage(client(), REPO, 'references')
    const document = JSON.parse(Buffer.from(image.bytes).toString())
    const withLayer = (mediaType: string) => {
      const layer = { mediaType, digest: digestOf(Buffer.from(mediaType)), size: 12345 }
      return manifestOf({ ...document, layers: [layer] }, MediaType.ociManifest)
    }
    const refused = await client().putManifest(REPO, 'missing-layer', withLayer(MediaType.ociLayer))
    expect([refused.status, errorCodeOf(refused)]).toEqual([400, 'MANIFEST_BLOB_UNKNOWN'])
    for (const mediaType of [
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    ]) {
      expect((await client().putManifest(REPO, 'foreign', withLayer(mediaType))).status).toBe(201)
    }
  })

  test.each([
    ['no JSON', 'hello', MediaType.ociManifest],
    ['a list', '[]', MediaType.ociManifest],
    ['neither image nor index', '{"schemaVersion":2}', MediaType.ociManifest],
    ['an index that is called an image', '{"schemaVersion":2,"manifests":[]}', MediaType.ociManifest],
    [
      'both image and index',
      '{"schemaVersion":2,"manifests":[],"layers":[],"config":{}}',
      MediaType.ociIndex,
    ],
    ['of a type that is none of a manifest', '{"schemaVersion":2,"manifests":[]}', 'text/html'],
    [
      'of another type than its header',
      `{"manifests":[],"mediaType":"${MediaType.ociIndex}"}`,
      MediaType.dockerManifestList,
    ],
  ])('refuses a manifest that is %s', async (_word, text, mediaType) => {
    const bytes = Buffer.from(text)
    const manifest: RawManifest = {
      bytes,
      descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    }
    const put = await client().putManifest(REPO, 'broken', manifest)
    expect([put.status, errorCodeOf(put)]).toEqual([400, 'MANIFEST_INVALID'])
    expect((await get('broken')).status).toBe(404)
  })

  test('refuses a manifest above 4 MiB, announced or not, and takes one just below', async () => {
    const image = await pushImage(client(), REPO, 'large')
    const document = JSON.parse(Buffer.from(image.bytes).toString())
    const sized = (size: number) => {
      const empty = JSON.stringify({ ...document, annotations: { a: '' } }).length
      const annotations = { a: 'A'.repeat(size - empty) }
      return manifestOf({ ...document, annotations }, MediaType.ociManifest)
    }
    const limit = 4 * 1024 * 1024
    expect((await client().putManifest(REPO, 'large', sized(limit))).status).toBe(201)
    for (const chunked of [false, true]) {
      const put = await client().send('PUT', `/v2/${REPO}/manifests/too-large`, {
        headers: { 'Content-Type': MediaType.ociManifest },
        body: Buffer.from(sized(limit + 1).bytes),
        chunked,
      })
      expect([put.status, errorCodeOf(put)]).toEqual([413, 'SIZE_INVALID'])
    }
  })

  test('takes a type with parameters, and gives it back without them', async () => {
    const image = await pushImage(client(), REPO, 'charset')
    const put = await client().send('PUT', `/v2/${REPO}/manifests/charset`, {
      headers: { 'Content-Type': `${MediaType.ociManifest}; charset=utf-8` },
      body: Buffer.from(image.bytes),
    })
    expect(put.status).toBe(201)
    expect((await get('charset')).headers['content-type']).toBe(MediaType.ociManifest)
  })
})

test('takes images with missing layers where that is allowed', async () => {
  const registry = await startRegistry(undefined, { allowMissingBlobs: true })
  try {
    const config = await registry.client.putBlob(REPO, Buffer.from('{}'))
    const layer = noise(100, 'never pushed')
    const document = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: config, size: 2 },
      layers: [{ mediaType: MediaType.ociLayer, digest: digestOf(layer), size: 100 }],
    }
    const put = await registry.client.putManifest(REPO, 'sparse', manifestOf(document, MediaType.ociManifest))
    expect(put.status).toBe(201)
  } finally {
    await registry.stop()
  }
})
