import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { indexOf } from '../contract/store-fixtures.js'
import { KINDS, type RunningRegistry, startRegistry } from './collections.js'
import { pushImage } from './images.js'
import { errorCodeOf } from './raw-client.js'

describe.each(KINDS)('lists over $name', kind => {
  let registry: RunningRegistry
  const get = (path: string) => registry.client.send('GET', path)
  /** Follows the links from a first page on, and gives what each page held. */
  const pages = async (first: string, field: string): Promise<unknown[]> => {
    const found: unknown[] = []
    for (let path: string | undefined = first; path !== undefined; ) {
      const { body, headers } = await get(path)
      found.push(JSON.parse(body.toString())[field])
      path = /^<([^>]+)>; rel="next"$/.exec(`${headers.link ?? ''}`)?.[1]
    }
    return found
  }

  beforeAll(async () => {
    registry = await startRegistry(kind)
  })
  afterAll(async () => {
    await registry.stop()
  })

  test('gives tags page by page', async () => {
    const empty = indexOf([])
    const tags = ['1.0', '1.1', 'a', 'b', 'latest']
    for (const tag of tags) await registry.client.putManifest('team/tags', tag, empty)
    const path = '/v2/team/tags/tags/list'
    expect(await pages(path, 'tags')).toEqual([tags])
    expect(await pages(`${path}?n=2`, 'tags')).toEqual([['1.0', '1.1'], ['a', 'b'], ['latest']])
    expect(await pages(`${path}?n=5`, 'tags')).toEqual([tags])
    expect(await pages(`${path}?n=2&last=a`, 'tags')).toEqual([['b', 'latest']])
    expect(await pages(`${path}?last=not-there`, 'tags')).toEqual([[]])
    expect(await pages(`${path}?last=b1`, 'tags')).toEqual([['latest']])
  })

  test('gives an empty list and no link for n=0', async () => {
    await registry.client.putManifest('team/zero', 'tag', indexOf([]))
    const { body, headers } = await get('/v2/team/zero/tags/list?n=0')
    expect([JSON.parse(body.toString()).tags, headers.link]).toEqual([[], undefined])
  })

  test.each(['-1', 'many', '1.5', '99999999999999999999'])('refuses n=%s', async n => {
    await registry.client.putManifest('team/bad-n', 'tag', indexOf([]))
    for (const path of [`/v2/team/bad-n/tags/list?n=${n}`, `/v2/_catalog?n=${n}`]) {
      const answer = await get(path)
      expect([answer.status, errorCodeOf(answer)]).toEqual([400, 'PAGINATION_NUMBER_INVALID'])
    }
  })

  test('still lists a repository whose last tag was deleted', async () => {
    await registry.client.putManifest('team/untagged', 'only', indexOf([]))
    await registry.client.send('DELETE', '/v2/team/untagged/manifests/only')
    const { status, body } = await get('/v2/team/untagged/tags/list')
    expect([status, JSON.parse(body.toString())]).toEqual([200, { name: 'team/untagged', tags: [] }])
  })

  test('gives the names of repositories page by page', async () => {
    const other = await startRegistry(kind)
    try {
      const names = ['a', 'a-b', 'a/b', 'library/x']
      for (const name of names.toReversed()) await other.client.putManifest(name, 'tag', indexOf([]))
      const all = await other.client.send('GET', '/v2/_catalog')
      expect(JSON.parse(all.body.toString())).toEqual({ repositories: names })
      const first = await other.client.send('GET', '/v2/_catalog?n=3')
      expect(JSON.parse(first.body.toString())).toEqual({ repositories: names.slice(0, 3) })
      expect(first.headers.link).toBe('</v2/_catalog?n=3&last=a%2Fb>; rel="next"')
      const rest = await other.client.send('GET', '/v2/_catalog?n=3&last=a%2Fb')
      expect(JSON.parse(rest.body.toString())).toEqual({ repositories: names.slice(3) })
    } finally {
      await other.stop()
    }
  })

  test('gives referrers page by page, with the filter kept', async () => {
    const { client } = registry
    const subject = await pushImage(client, 'team/referred', 'subject')
    for (let number = 0; number < 5; number++) {
      const fields = {
        subject: subject.descriptor,
        artifactType: 'application/vnd.example',
        annotations: { n: `${number}` },
      }
      const referrer = await pushImage(client, 'team/referred', 'referrer', { fields })
      expect((await client.putManifest('team/referred', referrer.descriptor.digest, referrer)).status).toBe(
        201,
      )
    }
    const path = `/v2/team/referred/referrers/${subject.descriptor.digest}?n=2&artifactType=application/vnd.example`
    const found = (await pages(path, 'manifests')) as { digest: string }[][]
    expect(found.map(page => page.length)).toEqual([2, 2, 1])
    expect(new Set(found.flat().map(({ digest }) => digest)).size).toBe(5)
  })

  test('splits referrers that are larger than one answer may be', async () => {
    const { client } = registry
    const subject = { mediaType: MediaType.ociIndex, digest: digestOf(Buffer.from('big')), size: 3 }
    for (let number = 0; number < 3; number++) {
      const annotations = { big: 'A'.repeat(2_000_000), n: `${number}` }
      expect(
        (await client.putManifest('team/big', `n${number}`, indexOf([], { subject, annotations }))).status,
      ).toBe(201)
    }
    const found = (await pages(`/v2/team/big/referrers/${subject.digest}`, 'manifests')) as unknown[][]
    expect(found.map(page => page.length)).toEqual([2, 1])
  })
})
