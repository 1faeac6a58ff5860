import { expect, test } from 'vitest'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, refusal, startScripted } from '../../test/support/scripted-server.js'
import type { ListOptions } from '../content/store.js'

test('R68, R70, R71: lists tags over pages, leaves out what is none, and refuses a circle', async () => {
  const json = { 'content-type': 'application/json' }
  await using server = await startScripted([
    [/last=c/, answer(200, { ...json, link: '</v2/a/tags/list?last=b>; rel=next' }, '{"tags":["d"]}')],
    [/last=b/, answer(200, { ...json, link: '<?last=c>; rel="next"' }, '{"tags":["b","c"]}')],
    [
      /./,
      answer(200, { ...json, link: '</v2/a/tags/list?last=b>; rel="next"' }, '{"tags":["a",null,"b","x y"]}'),
    ],
  ])
  const { client, context, events } = clientOf()
  await using _ = client
  const tags: string[] = []
  const listing = (async () => {
    for await (const tag of client.repository(server.host, 'a').listTags(context)) tags.push(tag)
  })()
  await expect(listing).rejects.toMatchObject({
    code: 'bad-link',
    message: expect.stringContaining('in a circle'),
  })
  expect(tags).toEqual(['a', 'b', 'c', 'd'])
  expect(events).toEqual([
    { type: 'warning', message: `${server.host}/a lists 2 names that are no tags; they are left out` },
  ])
})

test('R70: refuses a next page on another origin', async () => {
  await using other = await startScripted([[/./, answer(200, {}, '{"tags":["evil"]}')]])
  await using server = await startScripted([
    [/./, answer(200, { link: `<http://${other.host}/v2/a/tags/list>; rel="next"` }, '{"tags":["a"]}')],
  ])
  const { client, context } = clientOf()
  await using _ = client
  const listing = (async () => {
    for await (const _tag of client.repository(server.host, 'a').listTags(context));
  })()
  await expect(listing).rejects.toMatchObject({ code: 'bad-link' })
  expect(other.seen).toEqual([])
})

test('R74: puts a list that comes in one piece in order, and keeps to what was asked for', async () => {
  await using server = await startScripted([[/./, answer(200, {}, '{"tags":["b","10","a","B","c"]}')]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  const list = async (options: { after?: string; limit?: number }) => {
    const tags: string[] = []
    for await (const tag of repository.listTags(context, options)) tags.push(tag)
    return tags
  }
  expect(await list({})).toEqual(['10', 'B', 'a', 'b', 'c'])
  expect(await list({ after: 'B', limit: 2 })).toEqual(['a', 'b'])
  expect(server.lines()[1]).toBe('GET /v2/a/tags/list?n=2&last=B')
})

async function listed(host: string, options: ListOptions = {}): Promise<string[]> {
  const { client, context } = clientOf()
  await using _ = client
  const tags: string[] = []
  for await (const tag of client.repository(host, 'a').listTags(context, options)) tags.push(tag)
  return tags
}

const page = (tags: unknown, next?: string) =>
  answer(200, next === undefined ? {} : { link: `<${next}>; rel="next"` }, JSON.stringify({ tags }))

test.each([null, undefined, []])('R68: a repository whose tags are %j has none', async tags => {
  await using server = await startScripted([[/./, page(tags)]])
  expect(await listed(server.host)).toEqual([])
})

test('R69: pages that are shorter than asked for, or empty, are not the end', async () => {
  await using server = await startScripted([
    [/last=c/, page(['d'])],
    [/last=b/, page([], '/v2/a/tags/list?last=c')],
    [/./, page(['a', 'b'], '/v2/a/tags/list?last=b')],
  ])
  expect(await listed(server.host)).toEqual(['a', 'b', 'd'])
})

test('R71: gives up a server that leads on for ever with nothing new, and says so', async () => {
  let count = 0
  await using server = await startScripted([
    [/./, (request, response) => page(['a', 'b'], `/v2/a/tags/list?token=${++count}`)(request, response)],
  ])
  await expect(listed(server.host)).rejects.toMatchObject({
    code: 'bad-link',
    message: expect.stringContaining('answered 200: 2 pages with nothing new, and a link to more'),
  })
  expect(count).toBe(3)
})

test('R71: an empty page at the end is the end', async () => {
  await using server = await startScripted([
    [/last=b/, page([])],
    [/./, page(['a', 'b'], '/v2/a/tags/list?last=b')],
  ])
  expect(await listed(server.host)).toEqual(['a', 'b'])
})

test('R72: asks a server that cuts its list without a link for the rest', async () => {
  const all = Array.from({ length: 1200 }, (_, number) => `t${10_000 + number}`)
  await using server = await startScripted([
    [
      /./,
      ({ path }, response) => {
        const query = new URL(path, 'http://x').searchParams
        const from = all.findIndex(tag => tag > (query.get('last') ?? ''))
        response.end(JSON.stringify({ tags: all.slice(from, from + Number(query.get('n'))) }))
      },
    ],
  ])
  expect(await listed(server.host, { limit: 1100 })).toEqual(all.slice(0, 1100))
  expect(server.lines()).toEqual(['GET /v2/a/tags/list?n=1000', 'GET /v2/a/tags/list?n=1000&last=t10999'])
})

test('R72: a server that gives the same again, whatever comes last, has no more', async () => {
  const all = Array.from({ length: 1000 }, (_, number) => `t${10_000 + number}`)
  await using server = await startScripted([[/./, page(all)]])
  expect(await listed(server.host, { limit: 5000 })).toEqual(all)
  expect(server.seen).toHaveLength(2)
})

test('R74: lists all where the registry does not know the name to begin after', async () => {
  await using server = await startScripted([
    [/last=bb/, answer(404)],
    [/last=c/, page(['d'])],
    [/./, page(['a', 'b', 'c'], '/v2/a/tags/list?last=c')],
  ])
  expect(await listed(server.host, { after: 'bb' })).toEqual(['c', 'd'])
  expect(server.lines()).toEqual([
    'GET /v2/a/tags/list?last=bb',
    'GET /v2/a/tags/list',
    'GET /v2/a/tags/list?last=c',
  ])
})

test('R9, R74: a repository that is not there is not there from any name on', async () => {
  await using server = await startScripted([[/./, refusal(404, 'NAME_UNKNOWN')]])
  await expect(listed(server.host, { after: 'b' })).rejects.toMatchObject({ kind: 'denied' })
  expect(server.seen).toHaveLength(2)
})

test('R73: asks for no page size unless less than everything is wanted, and for no page that is not needed', async () => {
  await using server = await startScripted([[/./, page(['a', 'b', 'c'], '/v2/a/tags/list?n=2&last=b')]])
  expect(await listed(server.host, { limit: 2 })).toEqual(['a', 'b'])
  expect(await listed(server.host, { limit: 0 })).toEqual([])
  expect(server.lines()).toEqual(['GET /v2/a/tags/list?n=2'])
})
