import { expect } from 'vitest'
import { selfSigned } from '../support/certificates.js'
import { TOKEN_FAULTS, TOKEN_GATES, widerScope } from '../support/faults/token.js'
import { missingTool } from '../support/tools.js'
import { type Expected, network, ROUTES, type Row, testMatrix } from './matrix.js'
import type { Outcome, Verb } from './transfer.js'

const verbs: readonly Verb[] = ['push', 'pull', 'copy']
const TLS = missingTool('openssl') === undefined ? await selfSigned() : undefined
if (TLS === undefined) console.warn('token/realm-http is left out: there is no openssl')
const route = /^(?:GET|POST) \/token/
const askedForTokens = ({ lines }: Outcome) => {
  const count = lines.filter(line => route.test(line)).length
  expect(count).toBeGreaterThan(0)
  // One for what is read and one for what is written, at two registries.
  expect(count).toBeLessThanOrEqual(4)
}
const denied: Expected = { kind: 'denied', code: 'denied', says: /does not take identity tokens/ }
const noToken = network('token-server', /the token server gave no token/)
const tooLarge = network('token-server', /the token server answered with more than 1 MiB/)

const ENDS: Record<keyof typeof TOKEN_FAULTS, Expected> = {
  'token-field': 'done',
  'access-token-field': 'done',
  'both-fields': 'done',
  'no-token': noToken,
  'token-lives-one-second': 'done',
  'token-of-10-mib': tooLarge,
  'token-post-refused': denied,
}
const identityToken = {
  find: async () => ({ kind: 'identity-token', token: 'canary', from: 'the test' }) as const,
}

testMatrix('token', [
  ...(Object.keys(TOKEN_FAULTS) as (keyof typeof TOKEN_FAULTS)[]).map((name): Row => {
    const credentials = name === 'token-post-refused' ? { client: { credentials: identityToken } } : {}
    return {
      fault: `token/${name}`,
      when: 'always',
      verbs,
      rules: [{ route, fault: TOKEN_FAULTS[name] }],
      options: { registry: { tokens: {} }, ...credentials },
      expected: ENDS[name],
      also: askedForTokens,
    }
  }),
  {
    fault: 'token/realm-relative',
    when: 'always',
    verbs,
    rules: [],
    options: { registry: { tokens: TOKEN_GATES['realm-relative'] } },
    expected: 'done',
    also: askedForTokens,
  },
  ...(TLS === undefined
    ? []
    : [
        {
          fault: 'token/realm-http',
          when: 'a registry behind TLS, always',
          verbs,
          rules: [],
          options: { registry: { tokens: TOKEN_GATES['realm-http'], certificate: TLS } },
          expected: 'done',
          also: askedForTokens,
        } satisfies Row,
      ]),
  {
    fault: 'token/realm-on-other-host',
    when: 'in clear text, always',
    verbs,
    rules: [],
    options: { registry: { tokens: TOKEN_GATES['realm-on-other-host'] } },
    expected: network('unsafe-url', /sends logins to a place that is not trusted: .*leave TLS/),
    also: ({ source, target }) =>
      expect([source, target].flatMap(registry => registry?.storeRequests ?? [])).toEqual([]),
  },
  {
    fault: 'token/wider-scope',
    when: 'PUT of the manifest, once',
    verbs: ['push', 'copy'],
    rules: [{ route: ROUTES.putManifest, call: 1, fault: widerScope }],
    options: { registry: { tokens: {} } },
    expected: 'done',
  },
  {
    fault: 'token/wider-scope',
    when: 'PUT of the manifest, always',
    verbs: ['push', 'copy'],
    rules: [{ route: ROUTES.putManifest, fault: widerScope }],
    options: { registry: { tokens: {} } },
    expected: { kind: 'denied', code: 'denied', says: /answered 401/ },
  },
])
