import { buffer } from 'node:stream/consumers'
import { expect, test } from 'vitest'
import { fakeSender, requestOf } from '../../test/support/fake-sender.js'
import { BYTES, canary, clientOf, DESCRIPTOR } from '../../test/support/registry-fixtures.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'
import { withRedirects } from './redirect.js'

const policy = { isInsecure: () => false, allowInternal: false }
const to = (location: string, status = 307) => ({ status, headers: { location } })
const secrets = { authorization: 'Basic canary', cookie: 'canary', accept: 'x' }

test('R210: drops credentials at another origin, and they do not come back', async () => {
  const { send, seen } = fakeSender(
    to('/same'),
    to('https://store.example/o'),
    to('https://r.example/back'),
    { status: 200 },
  )
  const response = await withRedirects(send, policy)(requestOf({ headers: secrets }))
  expect(seen.map(({ url, headers }) => [url.href, headers.authorization])).toEqual([
    ['https://r.example/v2/a/blobs/x', 'Basic canary'],
    ['https://r.example/same', 'Basic canary'],
    ['https://store.example/o', undefined],
    ['https://r.example/back', undefined],
  ])
  expect(seen[2]?.headers).toEqual({ accept: 'x' })
  expect(response.url.href).toBe('https://r.example/back')
})

test('R209: another port is another origin', async () => {
  const { send, seen } = fakeSender(to('https://r.example:8443/o'), { status: 200 })
  await withRedirects(send, policy)(requestOf({ headers: secrets }))
  expect(seen[1]?.headers).not.toHaveProperty('authorization')
})

test.each([301, 302, 303])('R5: an upload is not turned into a GET by %i', async status => {
  const { send } = fakeSender(to('https://front.example/v2/a', status))
  await expect(withRedirects(send, policy)(requestOf({ method: 'PUT' }))).rejects.toMatchObject({
    code: 'redirected-upload',
    message: expect.stringContaining(`answered ${status}: it redirects to https://front.example/v2/a`),
    hint: expect.stringContaining('front.example'),
  })
})

test.each([307, 308])('R4: %i keeps method and body', async status => {
  const { send, seen } = fakeSender(to('/next', status), { status: 201 })
  const body = { length: 1, open: async () => Buffer.from('x') }
  await withRedirects(send, policy)(requestOf({ method: 'PUT', body }))
  expect(seen[1]).toMatchObject({ method: 'PUT', body })
})

test('R214: refuses a circle, and more than ten hops', async () => {
  const circle = fakeSender(to('/b'), to('/v2/a/blobs/x'))
  await expect(withRedirects(circle.send, policy)(requestOf())).rejects.toMatchObject({
    code: 'redirect-loop',
  })
  const hops = Array.from({ length: 20 }, (_, hop) => to(`/hop/${hop}`))
  const long = fakeSender(...hops)
  await expect(withRedirects(long.send, policy)(requestOf())).rejects.toThrow('more than 10 redirects')
  expect(long.seen).toHaveLength(11)
})

test('R213: refuses clear text on another host, without showing the query', async () => {
  const { send, seen } = fakeSender(to('http://store.example/o?sig=canary'))
  const failure = withRedirects(send, policy)(requestOf())
  await expect(failure).rejects.toMatchObject({ code: 'unsafe-url' })
  await expect(failure).rejects.not.toThrow('canary')
  expect(seen).toHaveLength(1)
})

test('R218: never sends a secret body to another origin', async () => {
  const { send, seen } = fakeSender(to('https://elsewhere.example/token'))
  const request = requestOf({ method: 'POST', secretBody: true })
  await expect(withRedirects(send, policy)(request)).rejects.toMatchObject({ code: 'unsafe-url' })
  expect(seen).toHaveLength(1)
})

test('R32, R33, R203: a blob comes from a store with a long signed URL, without a login, whatever its headers say', async () => {
  // As long as Node's own server takes it, and with the other header more than most clients do.
  const signature = 's'.repeat(15_000)
  const headers = { 'content-type': 'application/xml', etag: '"another"', 'docker-content-digest': 'none' }
  await using store = await startScripted([[/^GET /, answer(200, headers, BYTES)]])
  await using server = await startScripted([
    [
      /^GET /,
      (_request, response) => {
        const location = `http://${store.host}/bucket?sig=${signature}`
        response.writeHead(307, { location, 'x-more': 'x'.repeat(16_000) }).end()
      },
    ],
  ])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  const stream = await client.repository(server.host, 'a').openBlob(DESCRIPTOR, context)
  expect(await buffer(stream)).toEqual(BYTES)
  expect(store.seen[0]?.path).toBe(`/bucket?sig=${signature}`)
  expect(store.seen[0]?.headers.authorization).toBeUndefined()
})
