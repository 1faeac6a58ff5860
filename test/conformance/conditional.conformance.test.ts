import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { noise } from '../contract/store-fixtures.js'
import { type RunningRegistry, startRegistry } from './collections.js'
import { pushImage } from './images.js'

/** RFC 9110, section 13; rule R29. */
describe('conditional requests', () => {
  let registry: RunningRegistry
  let manifest: { path: string; digest: string }
  let blob: { path: string; digest: string; bytes: Buffer }

  beforeEach(async () => {
    registry = await startRegistry()
    const { client } = registry
    const image = await pushImage(client, 'a', 'conditional')
    await client.putManifest('a', 'latest', image)
    manifest = { path: '/v2/a/manifests/latest', digest: image.descriptor.digest }
    const bytes = noise(1000, 'blob')
    const digest = await client.putBlob('a', bytes)
    blob = { path: `/v2/a/blobs/${digest}`, digest, bytes }
  })
  afterEach(() => registry.stop())

  test.each(['GET', 'HEAD'])('by %s are answered with a tag, and with 304 to who has it', async method => {
    for (const { path, digest } of [manifest, blob]) {
      const first = await registry.client.send(method, path)
      expect([first.status, first.headers.etag]).toEqual([200, `"${digest}"`])
      for (const condition of [`"${digest}"`, `W/"${digest}"`, `"x", "${digest}"`, '*', digest]) {
        const headers = { 'If-None-Match': condition }
        const second = await registry.client.send(method, path, { headers })
        expect([condition, second.status, second.headers.etag]).toEqual([condition, 304, `"${digest}"`])
        expect(second.headers['docker-content-digest']).toBe(digest)
        expect(second.headers['content-length']).toBeUndefined()
        expect(second.body.length).toBe(0)
      }
      const other = await registry.client.send(method, path, { headers: { 'If-None-Match': '"x"' } })
      expect(other.status).toBe(200)
    }
  })

  test('are answered with the new manifest once a tag has moved', async () => {
    const { client } = registry
    const next = await pushImage(client, 'a', 'next')
    await client.putManifest('a', 'latest', next)
    const headers = { 'If-None-Match': `"${manifest.digest}"` }
    const answer = await client.send('GET', manifest.path, { headers })
    expect([answer.status, answer.headers.etag]).toEqual([200, `"${next.descriptor.digest}"`])
    expect(answer.body.equals(next.bytes)).toBe(true)
  })

  test('are answered with 404 for what is not there', async () => {
    const headers = { 'If-None-Match': '*' }
    expect((await registry.client.send('GET', '/v2/a/manifests/none', { headers })).status).toBe(404)
  })

  test('for a part give the part to who has the rest of it, and else the whole', async () => {
    const range = { Range: 'bytes=500-' }
    const rest = await registry.client.send('GET', blob.path, {
      headers: { ...range, 'If-Range': `"${blob.digest}"` },
    })
    expect([rest.status, rest.body.equals(blob.bytes.subarray(500))]).toEqual([206, true])
    const whole = await registry.client.send('GET', blob.path, { headers: { ...range, 'If-Range': '"x"' } })
    expect([whole.status, whole.body.equals(blob.bytes)]).toEqual([200, true])
  })
})
