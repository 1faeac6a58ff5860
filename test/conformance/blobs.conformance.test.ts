import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { noise } from '../contract/store-fixtures.js'
import { KINDS_BY_ALGORITHM, type RunningRegistry, startRegistry } from './collections.js'
import { errorCodeOf, type RawResponse, withDigest } from './raw-client.js'

const REPO1 = 'conformance/repo1'
const REPO2 = 'conformance/repo2'
const OCTETS = { 'Content-Type': 'application/octet-stream' }

describe.each(KINDS_BY_ALGORITHM)('blobs over $name by $algorithm', ({ kind, algorithm }) => {
  let registry: RunningRegistry
  const client = () => registry.client
  let seed = 0
  /** Bytes that no other test has, with their digest. */
  const fresh = (length = 512) => {
    const bytes = noise(length, `${algorithm} ${seed++}`)
    return { bytes, digest: digestOf(bytes, algorithm) }
  }
  const chunkOf = (bytes: Buffer, first: number, last: number) => ({
    headers: { ...OCTETS, 'Content-Range': `${first}-${last}` },
    body: bytes.subarray(first, last + 1),
  })
  /** Checks that a finished upload can be had: at its Location, by HEAD and by GET. */
  const expectPullable = async (created: RawResponse, digest: string, bytes: Buffer) => {
    expect(created.status, created.body.toString()).toBe(201)
    expect(created.headers['docker-content-digest']).toBe(digest)
    const location = created.headers.location ?? ''
    for (const path of [location, `/v2/${REPO1}/blobs/${digest}`]) {
      const got = await client().send('GET', path)
      expect(got.status).toBe(200)
      expect(got.body.equals(bytes)).toBe(true)
      expect(got.headers['content-length']).toBe(`${bytes.length}`)
    }
    const head = await client().send('HEAD', `/v2/${REPO1}/blobs/${digest}`)
    expect([head.status, head.headers['content-length'], head.body.length]).toEqual([
      200,
      `${bytes.length}`,
      0,
    ])
    expect(head.headers['docker-content-digest']).toBe(digest)
    const deleted = await client().send('DELETE', `/v2/${REPO1}/blobs/${digest}`)
    expect(deleted.status).toBe(202)
    expect((await client().send('HEAD', `/v2/${REPO1}/blobs/${digest}`)).status).toBe(404)
  }
  const expectAbsent = async (digest: string) => {
    expect((await client().send('HEAD', `/v2/${REPO1}/blobs/${digest}`)).status).toBe(404)
  }

  beforeAll(async () => {
    registry = await startRegistry(kind)
  })
  afterAll(async () => {
    await registry.stop()
  })

  test('answers 404 for a blob that is not there', async () => {
    await client().putBlob(REPO1, noise(10, 'makes the repository'))
    const missing = await client().send('GET', `/v2/${REPO1}/blobs/${fresh().digest}`)
    expect([missing.status, errorCodeOf(missing)]).toEqual([404, 'BLOB_UNKNOWN'])
    const nowhere = await client().send('GET', `/v2/conformance/nowhere/blobs/${fresh().digest}`)
    expect([nowhere.status, errorCodeOf(nowhere)]).toEqual([404, 'NAME_UNKNOWN'])
    const deleted = await client().send('DELETE', `/v2/${REPO1}/blobs/${fresh().digest}`)
    expect(deleted.status).toBe(404)
  })

  test('takes a blob by one POST', async () => {
    const { bytes, digest } = fresh()
    const path = `/v2/${REPO1}/blobs/uploads/?digest=${digest}`
    await expectPullable(await client().send('POST', path, { headers: OCTETS, body: bytes }), digest, bytes)
  })

  test.each(['', `?digest-algorithm=${algorithm}`])('takes a blob by POST%s and PUT', async query => {
    const { bytes, digest } = fresh()
    const location = await client().startUpload(REPO1, query)
    const put = await client().send('PUT', withDigest(location, digest), { headers: OCTETS, body: bytes })
    await expectPullable(put, digest, bytes)
  })

  test.each([
    ['one chunk', 512],
    ['three chunks', 3072],
  ])('takes a blob in %s, ended by an empty PUT', async (_word, length) => {
    const { bytes, digest } = fresh(length)
    let location = await client().startUpload(REPO1)
    for (let first = 0; first < length; first += 1200) {
      const last = Math.min(first + 1199, length - 1)
      const patch = await client().send('PATCH', location, chunkOf(bytes, first, last))
      expect([patch.status, patch.headers.range]).toEqual([202, `0-${last}`])
      location = patch.headers.location ?? ''
    }
    await expectPullable(await client().send('PUT', withDigest(location, digest)), digest, bytes)
  })

  test('takes the last chunk with the PUT', async () => {
    const { bytes, digest } = fresh(3000)
    const location = await client().startUpload(REPO1)
    const patch = await client().send('PATCH', location, chunkOf(bytes, 0, 1999))
    const next = withDigest(patch.headers.location ?? '', digest)
    await expectPullable(await client().send('PUT', next, chunkOf(bytes, 2000, 2999)), digest, bytes)
  })

  test.each(['PATCH', 'PUT'])(
    'refuses a chunk out of order by %s, and tells where to go on',
    async method => {
      const { bytes, digest } = fresh(3000)
      const location = await client().startUpload(REPO1)
      await client().send('PATCH', location, chunkOf(bytes, 0, 999))
      const failing = method === 'PUT' ? withDigest(location, digest) : location
      for (const [first, last] of [
        [2000, 2999],
        [0, 999],
      ] as const) {
        const refused = await client().send(method, failing, chunkOf(bytes, first, last))
        expect([refused.status, refused.headers.range, errorCodeOf(refused)]).toEqual([
          416,
          '0-999',
          'RANGE_INVALID',
        ])
        const state = await client().send('GET', failing)
        expect([state.status, state.headers.range, state.body.length]).toEqual([204, '0-999', 0])
        expect(state.headers.location).toBeDefined()
      }
      const put = await client().send('PUT', withDigest(location, digest), chunkOf(bytes, 1000, 2999))
      await expectPullable(put, digest, bytes)
    },
  )

  test('refuses a first chunk that does not start at zero', async () => {
    const { bytes } = fresh(3000)
    const location = await client().startUpload(REPO1)
    expect((await client().send('PATCH', location, chunkOf(bytes, 1000, 1999))).status).toBe(416)
    expect((await client().send('GET', location)).headers.range).toBe('0-0')
  })

  test.each([true, false])(
    'takes a stream by PATCH without a range (of unknown length: %s)',
    async chunked => {
      const { bytes, digest } = fresh(200_000)
      const location = await client().startUpload(REPO1)
      const patch = await client().send('PATCH', location, { headers: OCTETS, body: bytes, chunked })
      expect([patch.status, patch.headers.range]).toEqual([202, '0-199999'])
      await expectPullable(await client().send('PUT', withDigest(location, digest)), digest, bytes)
    },
  )

  test('gives an upload up', async () => {
    const location = await client().startUpload(REPO1)
    expect((await client().send('DELETE', location)).status).toBe(204)
    const gone = await client().send('GET', location)
    expect([gone.status, errorCodeOf(gone)]).toEqual([404, 'BLOB_UPLOAD_UNKNOWN'])
  })

  test('mounts a blob of another repository, and it stays there', async () => {
    const { bytes } = fresh()
    const digest = await client().putBlob(REPO2, bytes, algorithm)
    await expectAbsent(digest)
    const path = `/v2/${REPO1}/blobs/uploads/?mount=${digest}&from=${encodeURIComponent(REPO2)}`
    await expectPullable(await client().send('POST', path), digest, bytes)
    expect((await client().send('GET', `/v2/${REPO2}/blobs/${digest}`)).body.equals(bytes)).toBe(true)
  })

  test('mounts a blob without being told from where', async () => {
    const { bytes } = fresh()
    const digest = await client().putBlob(REPO2, bytes, algorithm)
    const answer = await client().send('POST', `/v2/${REPO1}/blobs/uploads/?mount=${digest}`)
    // A token for the one repository does not tell what is in the others.
    if (kind.hasTokens === true) expect(answer.status).toBe(202)
    else await expectPullable(answer, digest, bytes)
  })

  test.each([`&from=${REPO2}`, '&from=conformance/nowhere', ''])(
    'starts an upload when the blob to mount is missing (%s)',
    async from => {
      const { bytes, digest } = fresh()
      const answer = await client().send('POST', `/v2/${REPO1}/blobs/uploads/?mount=${digest}${from}`)
      expect(answer.status).toBe(202)
      const put = await client().send('PUT', withDigest(answer.headers.location ?? '', digest), {
        body: bytes,
      })
      await expectPullable(put, digest, bytes)
    },
  )

  test.each([
    ['500-1499', 500, 1500],
    ['500-', 500, 2048],
    ['-500', 1548, 2048],
    ['2000-5000', 2000, 2048],
    ['0-0', 0, 1],
    ['-5000', 0, 2048],
  ])('gives the range %s', async (range, start, end) => {
    const { bytes } = fresh(2048)
    const digest = await client().putBlob(REPO1, bytes, algorithm)
    const path = `/v2/${REPO1}/blobs/${digest}`
    const got = await client().send('GET', path, { headers: { Range: `bytes=${range}` } })
    expect([got.status, got.headers['content-range']]).toEqual([206, `bytes ${start}-${end - 1}/2048`])
    expect(got.headers['content-length']).toBe(`${end - start}`)
    expect(got.body.equals(bytes.subarray(start, end))).toBe(true)
  })

  test.each(['500-0', '5000-10000', '2048-', '-0'])('answers 416 to the range %s', async range => {
    const digest = await client().putBlob(REPO1, fresh(2048).bytes, algorithm)
    const path = `/v2/${REPO1}/blobs/${digest}`
    const got = await client().send('GET', path, { headers: { Range: `bytes=${range}` } })
    expect([got.status, got.headers['content-range']]).toEqual([416, 'bytes */2048'])
  })

  test.each(['items=0-5', 'bytes=0-5,10-15', 'bytes=-', 'nonsense'])(
    'sends all for the range "%s"',
    async range => {
      const { bytes } = fresh(2048)
      const digest = await client().putBlob(REPO1, bytes, algorithm)
      const got = await client().send('GET', `/v2/${REPO1}/blobs/${digest}`, { headers: { Range: range } })
      expect([got.status, got.body.equals(bytes)]).toEqual([200, true])
    },
  )

  test.each([
    ['empty', ''],
    ['an empty JSON object', '{}'],
  ])('takes a blob that is %s', async (_word, text) => {
    const bytes = Buffer.from(text)
    const digest = digestOf(bytes, algorithm)
    for (const chunk of [true, false]) {
      const location = await client().startUpload(REPO1)
      if (chunk) await client().send('PATCH', location, { body: bytes })
      const put = await client().send('PUT', withDigest(location, digest), {
        body: chunk ? Buffer.alloc(0) : bytes,
      })
      await expectPullable(put, digest, bytes)
    }
  })

  describe('with a wrong digest', () => {
    const expectRefused = async (answer: RawResponse, digest: string) => {
      expect([answer.status, errorCodeOf(answer)]).toEqual([400, 'DIGEST_INVALID'])
      await expectAbsent(digest)
    }

    test('refuses one POST', async () => {
      const { bytes, digest } = fresh()
      const path = `/v2/${REPO1}/blobs/uploads/?digest=${digest}`
      await expectRefused(
        await client().send('POST', path, { body: Buffer.concat([bytes, Buffer.from('x')]) }),
        digest,
      )
    })

    test('refuses POST and PUT, after which the upload is gone', async () => {
      const { bytes, digest } = fresh()
      const location = await client().startUpload(REPO1)
      const put = await client().send('PUT', withDigest(location, digest), { body: bytes.subarray(1) })
      await expectRefused(put, digest)
      expect((await client().send('GET', location)).status).toBe(404)
    })

    test('refuses chunks, with the last by PUT or by PATCH', async () => {
      for (const split of [1000, 2000]) {
        const { bytes } = fresh(2000)
        const { digest } = fresh(2000)
        const location = await client().startUpload(REPO1)
        await client().send('PATCH', location, chunkOf(bytes, 0, split - 1))
        const last = split === 2000 ? {} : chunkOf(bytes, split, 1999)
        await expectRefused(await client().send('PUT', withDigest(location, digest), last), digest)
      }
    })

    test('refuses a stream', async () => {
      const { bytes } = fresh()
      const { digest } = fresh()
      const location = await client().startUpload(REPO1)
      await client().send('PATCH', location, { body: bytes, chunked: true })
      await expectRefused(await client().send('PUT', withDigest(location, digest)), digest)
    })

    test.each(['', 'digest=', 'digest=sha256:bad', 'digest=md5:d41d8cd98f00b204e9800998ecf8427e'])(
      'refuses to end an upload by "%s"',
      async query => {
        const location = await client().startUpload(REPO1)
        const put = await client().send('PUT', `${location}?${query}`, { body: fresh().bytes })
        expect([put.status, errorCodeOf(put)]).toEqual([400, 'DIGEST_INVALID'])
      },
    )
  })
})
