import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { answeringSender, requestOf } from '../../test/support/fake-sender.js'
import { holds, spoiledBytes, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { essenceOf } from '../content/media-types.js'
import { isInternal } from './addresses.js'
import { chooseChallenge, parseChallenges } from './challenge.js'
import { readErrorBody } from './error-body.js'
import { nextLink } from './link.js'
import { explainRateLimit } from './rate-limit.js'
import { retryAfterMs } from './retry.js'
import { formatScope, parseScopes } from './scope.js'
import { fetchToken } from './token.js'
import { appendQuery, resolveServerUrl, UnsafeUrlError, type UrlPurpose } from './urls.js'
import { parseWarning } from './warnings.js'

/** The most bytes of headers that an HTTP client takes, more or less. */
const HEADER_LIMIT = 16 * 1024

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,12}$/)
const quotable = fc.string({ maxLength: 20 })
const quote = (text: string) => `"${text.replace(/["\\]/g, match => `\\${match}`)}"`

describe('challenges (R88, R89)', () => {
  const challenge = fc.record({
    scheme: fc.constantFrom('Bearer', 'Basic', 'Negotiate', 'Digest'),
    parameters: fc.uniqueArray(fc.tuple(token, quotable), {
      selector: ([name]) => name.toLowerCase(),
      minLength: 1,
      maxLength: 4,
    }),
  })

  it('are found again, however many stand in a header and whatever is in their quotes', async () => {
    await holds(fc.array(challenge, { minLength: 1, maxLength: 4 }), given => {
      const header = given
        .map(
          ({ scheme, parameters }) =>
            `${scheme} ${parameters.map(([name, value]) => `${name}=${quote(value)}`).join(', ')}`,
        )
        .join(', ')
      const found = parseChallenges([header])
      expect(found.map(({ scheme, parameters }) => [scheme, [...parameters]])).toEqual(
        given.map(({ scheme, parameters }) => [
          scheme.toLowerCase(),
          parameters.map(([name, value]) => [name.toLowerCase(), value]),
        ]),
      )
      expect(parseChallenges(given.map(() => header))).toHaveLength(given.length ** 2)
    })
  })

  it('are read or left out, whatever the header is', async () => {
    const header = textOf(
      'Bearer',
      'Basic',
      ' ',
      ',',
      '=',
      '"',
      '\\',
      'realm',
      'https://a.example/t',
      'scope',
      '\t',
      ';',
    )
    await holds(
      fc.array(header, { maxLength: 3 }),
      headers => {
        const chosen = chooseChallenge(parseChallenges(headers))
        if (chosen !== undefined) expect(['bearer', 'basic']).toContain(chosen.scheme)
      },
      500,
    )
  })
})

describe('Link (R70, R71)', () => {
  const target = fc.stringMatching(/^[a-z0-9/?&=.:,;-]{1,40}$/).filter(text => !/[?&]last=$/.test(text))

  it('leads to the target of the relation next, wherever that stands', async () => {
    const others = fc.array(fc.tuple(target, fc.constantFrom('prev', 'first', 'nextish', 'last')), {
      maxLength: 3,
    })
    await holds(fc.tuple(target, others, others, fc.boolean()), ([next, before, after, isQuoted]) => {
      const link = (to: string, relation: string) => `<${to}>; rel=${isQuoted ? `"${relation}"` : relation}`
      const links = [
        ...before.map(([to, name]) => link(to, name)),
        link(next, 'next'),
        ...after.map(([to, name]) => link(to, name)),
      ]
      expect(nextLink([links.join(', ')])).toBe(next)
      expect(nextLink(links)).toBe(next)
    })
  })

  it('is read or passed over, whatever the header is', async () => {
    await holds(
      fc.array(textOf('<', '>', ';', 'rel', '=', '"', 'next', ',', ' ', '/v2/_catalog?last=a'), {
        maxLength: 3,
      }),
      headers => {
        const link = nextLink(headers)
        expect(link === undefined || typeof link === 'string').toBe(true)
      },
      500,
    )
  })
})

describe('Retry-After and limits (R196, R198)', () => {
  const value = fc.oneof(
    fc.nat().map(String),
    textOf(
      '1',
      '9999999999999999999999',
      '-',
      '.',
      'Sat, 21 Nov 2026 08:00:00 GMT',
      ' ',
      'e9',
      'Infinity',
      ';w=21600',
    ),
    fc.date({ noInvalidDate: true }).map(date => date.toUTCString()),
  )

  it('is a time to wait, or nothing', async () => {
    await holds(
      value,
      text => {
        const delayMs = retryAfterMs(text, Date.now())
        if (delayMs !== undefined) expect(delayMs).toBeGreaterThanOrEqual(0)
      },
      500,
    )
  })

  it('is explained without numbers that nobody can read', async () => {
    await holds(
      fc.tuple(value, value, value),
      ([after, limit, remaining]) => {
        const headers = { 'retry-after': after, 'ratelimit-limit': limit, 'ratelimit-remaining': remaining }
        const { url } = requestOf()
        const bytes = Buffer.alloc(0)
        const response = { status: 429, headers, url, bytes, attempts: 1, body: undefined as never }
        expect(explainRateLimit(response, 'r.example', Date.now())).not.toMatch(/NaN|Infinity|e\+/)
      },
      500,
    )
  })
})

describe('URLs that a server gave (R213, R214, R216, R217)', () => {
  const text = textOf(
    'http://',
    'https://',
    '//',
    'r.example',
    ':5000',
    '/',
    '?a=b',
    '#f',
    '@',
    'user:pw@',
    '169.254.169.254',
    '127.0.0.1',
    '[::1]',
    'localhost',
    '..',
    '%2e',
    'file:',
    'javascript:',
    '2852039166',
    '[::ffff:10.0.0.1]',
    'other.example',
    '\\',
    '\n',
  )
  const purpose = fc.constantFrom<UrlPurpose>('redirect', 'Location', 'Link', 'realm', 'urls')
  const policy = { isInsecure: () => false, allowInternal: false }

  it('are refused, or lead by http or https to the registry or to another public place', async () => {
    await holds(
      fc.tuple(
        text,
        purpose,
        fc.constantFrom('https://r.example', 'https://r.example:5000', 'http://r.example:5000'),
      ),
      async ([given, why, registry]) => {
        const endpoint = { registry: 'r', base: new URL(registry), insecure: false }
        const found = await unlessRefused(
          () => resolveServerUrl(given, new URL('/v2/a/blobs/uploads/', registry), endpoint, why, policy),
          UnsafeUrlError,
        )
        if (found === undefined) return
        expect(found.protocol).toMatch(/^https?:$/)
        expect(`${found.username}${found.password}${found.hash}`).toBe('')
        if (found.hostname === endpoint.base.hostname) return
        expect(isInternal(found.hostname)).toBe(false)
        if (registry.startsWith('https:') || why === 'realm' || why === 'urls')
          expect(found.protocol).toBe('https:')
      },
      1000,
    )
  })

  it('keep what they hold when something is added', async () => {
    await holds(
      fc.tuple(fc.webUrl({ withQueryParameters: true }), fc.string({ unit: 'grapheme' })),
      ([url, value]) => {
        const found = appendQuery(new URL(url), 'digest', value)
        expect(found.searchParams.getAll('digest').at(-1)).toBe(value)
        expect(found.href.startsWith(new URL(url).href.replace(/\?$/, ''))).toBe(true)
      },
    )
  })
})

describe('words of a server (R7, R15, R219, R231)', () => {
  const shown = /^[^\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]*$/
  const errors = {
    errors: [
      { code: 'NAME_UNKNOWN', message: 'm', detail: { a: 1 } },
      { code: 'B', message: 'n', detail: 'x' },
    ],
  }

  it('of an error are one short line, whatever its body is', async () => {
    const body = fc.oneof(
      spoiledJson(errors).map(json => Buffer.from(json)),
      spoiledJson({ error: 'denied', error_description: 'b', details: 'c', message: 'd' }).map(json =>
        Buffer.from(json),
      ),
      textOf(
        '<html>',
        '<title>',
        '</title>',
        '\u001b[2J',
        'Bearer ',
        'a'.repeat(200),
        '\n',
        '?token=',
        '{"errors":[',
      ).map(text => Buffer.from(text)),
      spoiledBytes(Buffer.from(JSON.stringify(errors))),
    )
    await holds(
      body,
      bytes => {
        const { text, codes } = readErrorBody(bytes)
        for (const line of [text, ...codes]) expect(line).toMatch(shown)
        expect(text.length).toBeLessThan(400)
        expect(text).not.toMatch(/Bearer [a-z]{8}/)
      },
      500,
    )
  })

  it('of a warning are passed on as they are, or not at all', async () => {
    const plain = fc.stringMatching(/^[\x21-\x7e][\x20-\x7e]{0,30}$/)
    await holds(plain, text => expect(parseWarning(`299 - ${quote(text)}`)?.trim()).toBe(text.trim()))
    await holds(textOf('299 - "', '"', '\\', 'a', '\u001b', '299', ' '), header => {
      expect(parseWarning(header) ?? '').toMatch(shown)
    })
  })
})

describe('answers of a token server (R95, R222, R236)', () => {
  const answer = {
    access_token: 'abc',
    token: 'abc',
    expires_in: 300,
    issued_at: '2026-01-01T00:00:00Z',
    refresh_token: 'r',
  }

  it('are refused, or a token that is safe in a header and that will be renewed', async () => {
    const body = fc.oneof(
      spoiledJson(answer),
      fc.string({ unit: 'binary' }).map(value => JSON.stringify({ token: value })),
      fc.double().map(life => JSON.stringify({ token: 'abc', expires_in: life })),
      textOf('{', '"token"', ':', '"a"', '}'),
    )
    const [challenge] = parseChallenges(['Bearer realm="https://r.example/token",service="s"'])
    if (challenge === undefined) throw new Error('there is a challenge')
    await holds(
      body,
      async text => {
        const { send } = answeringSender(() => ({ status: 200, body: text }))
        const request = requestOf()
        const wanted = {
          challenge,
          challengedUrl: request.url,
          scopes: request.scopes,
          credential: undefined,
          request,
        }
        const found = await unlessRefused(() =>
          fetchToken(send, { isInsecure: () => false, allowInternal: false }, () => 0, wanted),
        )
        if (found === undefined) return
        expect(found.value).toMatch(/^[\x21-\x7e]+$/)
        expect(found.renewAt).toBeGreaterThan(0)
        expect(found.renewAt).toBeLessThanOrEqual(24 * 60 * 60 * 1000)
      },
      500,
    )
  })

  it('and its scopes come back as they were written', async () => {
    const scope = fc.record({
      resource: fc.constantFrom('repository:a', 'repository:host:5000/a/b', 'registry:catalog'),
      actions: fc.uniqueArray(fc.constantFrom('pull', 'push', 'delete', '*'), { minLength: 1 }),
    })
    await holds(scope, given => {
      const [found] = parseScopes(formatScope(given))
      expect(found).toEqual({ resource: given.resource, actions: given.actions })
    })
    await holds(textOf('repository', ':', 'a', ',', 'pull', ' ', '*'), text => void parseScopes(text))
  })
})

describe('headers as long as a client takes them', () => {
  it('are read in reasonable time, however alike their parts are', async () => {
    const part = fc.constantFrom(
      'a=',
      'a ',
      ',',
      ' ',
      '"',
      '\\',
      '<',
      '<a>;',
      ';',
      'Bearer ',
      'rel=next',
      'a="b",',
      '<a>; rel="',
      '299 - "',
    )
    await holds(
      part,
      text => {
        const header = text.repeat(Math.ceil(HEADER_LIMIT / text.length)).slice(0, HEADER_LIMIT)
        for (const given of [header, `Bearer ${header}`, `<a>${header}`]) {
          parseChallenges([given])
          nextLink([given])
          parseWarning(given)
          essenceOf(given)
          retryAfterMs(given, 0)
          parseScopes(given)
        }
        readErrorBody(Buffer.from(text.repeat(64 * 1024).slice(0, 64 * 1024)))
      },
      28,
    )
  })
})
