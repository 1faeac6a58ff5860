import { once } from 'node:events'
import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holds, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { digestOf, isDigest } from '../content/digest.js'
import { MediaType } from '../content/media-types.js'
import { MemoryCollection } from '../content/memory-collection.js'
import { isRepositoryName, isTag } from '../content/reference.js'
import { formatScopes, parseScopes } from './access.js'
import { basicCredentials } from './basic.js'
import { limitFrom } from './lists.js'
import { repositoryNameFrom, tagOrDigestFrom } from './names.js'
import { parseContentRange, parseRange } from './range.js'
import { createRegistryServer, type RegistryServer } from './server.js'

describe('ranges', () => {
  const number = fc.oneof(
    fc.nat(30).map(String),
    fc.constantFrom('', '-1', '99999999999999999999', '1.5', '1e3', ' 1'),
  )

  it('of a download are bytes of the whole, or none, as RFC 9110 counts them', async () => {
    await holds(
      fc.tuple(number, number, fc.nat(20)),
      ([from, to, size]) => {
        const range = parseRange(`bytes=${from}-${to}`, size)
        const whole = Array.from({ length: size }, (_, at) => at)
        const isPlain = /^\d*$/.test(from) && /^\d*$/.test(to) && `${from}${to}` !== ''
        if (!isPlain) return
        const wanted =
          from === ''
            ? whole.slice(Math.max(0, size - Number(to)))
            : whole.filter(at => at >= Number(from) && (to === '' || at <= Number(to)))
        if (range === 'unsatisfiable') expect(wanted).toEqual([])
        else expect([range?.first, range?.last]).toEqual([wanted[0], wanted.at(-1)])
      },
      500,
    )
  })

  it('are ranges of whole numbers, or refused, whatever the header is', async () => {
    const header = textOf('bytes', '=', '-', '0', '99', ',', ' ', '/', '*')
    await holds(
      fc.tuple(header, fc.nat(100)),
      ([given, size]) => {
        const range = parseRange(given, size)
        if (typeof range === 'object')
          expect(range.first >= 0 && range.first <= range.last && range.last < size).toBe(true)
        const uploaded = parseContentRange(given)
        if (typeof uploaded === 'object')
          expect(uploaded.first <= uploaded.last && Number.isSafeInteger(uploaded.last)).toBe(true)
      },
      500,
    )
    await holds(fc.tuple(fc.nat(), fc.nat()), ([first, length]) => {
      expect(parseContentRange(`${first}-${first + length}`)).toEqual({ first, last: first + length })
    })
  })
})

describe('names and numbers of requests (R204)', () => {
  it('are refused, or safe in a path', async () => {
    await holds(
      textOf('a', '/', '.', '..', '_', '-', 'A', '%2e', '\0', 'sha256:', 'a'.repeat(64), ':', 'é'),
      async given => {
        const name = await unlessRefused(() => repositoryNameFrom(given))
        if (name !== undefined) expect(name.split('/').filter(part => !/^[a-z0-9]/.test(part))).toEqual([])
        const target = await unlessRefused(() => tagOrDigestFrom(given))
        if (target !== undefined)
          expect('tag' in target ? isTag(target.tag) : isDigest(target.digest)).toBe(true)
      },
      500,
    )
  })

  it('of a page size are whole numbers', async () => {
    await holds(textOf('n=', '1', '-', '&', '99999999999999999999', '1e9', '%00', 'last=a'), async given => {
      const limit = await unlessRefused(() => limitFrom(new URLSearchParams(given)))
      if (limit !== undefined) expect(Number.isSafeInteger(limit) && limit >= 0).toBe(true)
    })
  })

  it('of scopes come back as they were written', async () => {
    const scope = fc.record({
      type: fc.constantFrom('repository', 'registry'),
      name: fc.constantFrom('a/b', 'host:5000/a', 'catalog'),
      actions: fc.array(fc.constantFrom('pull', 'push', '*', 'delete'), { minLength: 1, maxLength: 3 }),
    })
    await holds(fc.array(scope), scopes => expect(parseScopes(formatScopes(scopes))).toEqual(scopes))
    await holds(textOf('repository', ':', '(', ')', ' ', ',', 'pull'), given => void parseScopes(given))
  })

  it('of users come back as they were sent', async () => {
    const user = fc.string({ unit: 'grapheme', maxLength: 20 }).filter(given => !given.includes(':'))
    await holds(fc.tuple(user, fc.string({ unit: 'grapheme' })), ([name, password]) => {
      const header = `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`
      expect(basicCredentials(header)).toEqual({ user: name, password })
    })
  })
})

describe('any request at all', () => {
  let server: RegistryServer
  let port: number
  const collection = new MemoryCollection()
  beforeAll(async () => {
    server = createRegistryServer({ repositories: collection, allowMissingBlobs: true })
    port = (await server.listen('127.0.0.1', 0)).port
  })
  afterAll(() => server.close())

  /** Sends the very bytes of a request, and reads what comes back. */
  async function exchange(request: string): Promise<string> {
    const socket = connect(port, '127.0.0.1')
    await once(socket, 'connect')
    socket.end(Buffer.from(request, 'latin1'))
    return await text(socket).catch(() => '')
  }

  const part = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.constantFrom(
        'v2',
        'a',
        'blobs',
        'uploads',
        'manifests',
        'tags',
        'list',
        'referrers',
        '_catalog',
        '..',
        '.',
        '',
        '%2e%2e',
        '%00',
        '%',
        `${digestOf(Buffer.from(''))}`,
        'sha256:x',
        'latest',
        '%0d%0a',
        'A',
      ),
    },
    { weight: 1, arbitrary: fc.stringMatching(/^[!-~]{0,8}$/) },
  )
  const query = fc.constantFrom(
    '',
    '?n=1',
    '?n=-1',
    '?last=%00',
    '?digest=sha256:x',
    '?digest=../..',
    '?mount=x&from=../a',
    '?artifactType=%ff',
    '?n=99999999999',
    '?tag=..',
  )
  const header = fc.constantFrom(
    'Range: bytes=0-',
    'Range: bytes=9-1',
    'Content-Range: 0-',
    'Content-Range: 5-9',
    'Content-Type: application/json',
    `Content-Type: ${MediaType.ociManifest}`,
    'If-None-Match: "',
    'Authorization: Basic !',
    'Content-Length: 3',
    'Content-Length: -1',
    'Transfer-Encoding: chunked',
    'Accept: */*',
  )

  it('has an answer below 500 with words of ours, and makes no repository of another name (R204, R223)', async () => {
    const request = fc.record({
      method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'),
      path: fc.array(part, { maxLength: 6 }).map(parts => `/v2/${parts.join('/')}`),
      query,
      headers: fc.array(header, { maxLength: 3 }),
      body: fc.constantFrom('', 'abc', '{}', '5\r\nhello\r\n0\r\n\r\n'),
    })
    await holds(
      request,
      async given => {
        const lines = [
          `${given.method} ${given.path}${given.query} HTTP/1.1`,
          'Host: a',
          'Connection: close',
          ...given.headers,
        ]
        const answer = await exchange(`${lines.join('\r\n')}\r\n\r\n${given.body}`)
        const status = /^HTTP\/1\.1 (\d{3})/.exec(answer)?.[1]
        // A body that is not all there leaves nobody to answer.
        if (status !== undefined) expect(Number(status)).toBeLessThan(500)
        for await (const name of collection.listNames()) expect(isRepositoryName(name)).toBe(true)
      },
      300,
    )
  })

  it('to put a manifest has an answer below 500, whatever it holds', async () => {
    const descriptor = { mediaType: MediaType.ociConfig, digest: digestOf(Buffer.from('a')), size: 1 }
    const image = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: descriptor,
      layers: [descriptor],
      subject: descriptor,
      annotations: { a: 'b' },
    }
    await holds(
      spoiledJson(image),
      async body => {
        const bytes = Buffer.from(body).toString('latin1')
        const head = `PUT /v2/a/manifests/1 HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: ${bytes.length}`
        expect(await exchange(`${head}\r\n\r\n${bytes}`)).toMatch(/^HTTP\/1\.1 [24]\d\d/)
      },
      150,
    )
  })
})
