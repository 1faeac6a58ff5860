import { expect, test } from 'vitest'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, refusal, startScripted } from '../../test/support/scripted-server.js'

async function listed(host: string): Promise<string[]> {
  const { client, context } = clientOf()
  await using _ = client
  const names: string[] = []
  for await (const name of client.listRepositories(host, context)) names.push(name)
  return names
}

const json = { 'content-type': 'application/json' }

test('R70, R75: lists repositories over pages', async () => {
  await using server = await startScripted([
    [/last=team/, answer(200, json, '{"repositories":["z"]}')],
    [
      /_catalog$/,
      answer(
        200,
        { ...json, link: '</v2/_catalog?last=team%2Fapp&n=2>; rel="next"' },
        '{"repositories":["a","team/app"]}',
      ),
    ],
  ])
  expect(await listed(server.host)).toEqual(['a', 'team/app', 'z'])
})

test('R71: a link that leads back to the beginning is the end', async () => {
  await using server = await startScripted([
    [/./, answer(200, { ...json, link: '/v2/_catalog?n=100&last=; rel="next"' }, '{"repositories":["a"]}')],
  ])
  expect(await listed(server.host)).toEqual(['a'])
})

test.each([400, 404, 405, 501])(
  'R75: a registry that answers %i has no catalog, and says so',
  async status => {
    await using server = await startScripted([[/./, refusal(status, 'UNSUPPORTED')]])
    await expect(listed(server.host)).rejects.toMatchObject({
      kind: 'failed',
      code: 'no-catalog',
      message:
        `listing of the repositories of ${server.host} failed: ${server.host} does not offer a catalog: ` +
        `GET ${server.host}/v2/_catalog answered ${status}`,
      hint: `List the tags of a repository that you know: \`regctl tags ${server.host}/REPO\``,
    })
  },
)

test.each([401, 403])('R75: one that answers %i may have one for others', async status => {
  await using server = await startScripted([[/./, refusal(status, 'DENIED')]])
  await expect(listed(server.host)).rejects.toMatchObject({
    kind: 'denied',
    code: 'no-catalog',
    message: expect.stringContaining('does not offer a catalog, or not with this login'),
    hint: expect.stringMatching(/regctl tags .*regctl login/),
  })
})

test('R75: so does one whose token server refuses the scope of the catalog', async () => {
  await using tokens = await startScripted([[/./, refusal(403, 'DENIED')]])
  const challenge = `Bearer realm="http://${tokens.host}/token",service="s",scope="registry:catalog:*"`
  await using server = await startScripted([[/./, answer(401, { 'www-authenticate': challenge })]])
  await expect(listed(server.host)).rejects.toMatchObject({
    kind: 'denied',
    code: 'no-catalog',
    message: expect.stringContaining('does not offer a catalog, or not with this login'),
  })
  expect(new URL(tokens.seen[0]?.path ?? '', 'http://x').searchParams.get('scope')).toBe('registry:catalog:*')
})

test('a registry that is broken is not one without a catalog', async () => {
  await using server = await startScripted([[/./, refusal(500, 'UNKNOWN')]])
  await expect(listed(server.host)).rejects.toMatchObject({ kind: 'network', code: 'status-500' })
})
