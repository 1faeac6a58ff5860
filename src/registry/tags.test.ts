import { expect, test } from 'vitest'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'

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
  expect(server.lines()[1]).toBe('GET /v2/a/tags/list?last=B')
})
