import { expect } from 'vitest'
import { RegctlError } from '../../src/errors.js'
import { STATUS_FAULTS } from '../support/faults/status.js'
import { type Expected, network, ROUTES, type Row, testMatrix } from './matrix.js'
import type { Outcome, Verb } from './transfer.js'

type StatusFault = keyof typeof STATUS_FAULTS
type Place = 'getManifest' | 'getBlob' | 'startUpload' | 'putLayer' | 'putManifest'

const denied: Expected = {
  kind: 'denied',
  code: 'denied',
  says: /repository not found or access denied: .* answered 40[134]/,
}
const unknownChallenge: Expected = {
  kind: 'denied',
  code: 'unknown-challenge',
  says: /asks for a login that regctl does not know/,
}
const notFound: Expected = { kind: 'not-found', code: 'not-found', says: /not found.* answered 404/ }
const failed = (status: number): Expected => ({
  kind: 'failed',
  code: `status-${status}`,
  says: new RegExp(`answered ${status}`),
})
const tooLarge: Expected = {
  kind: 'failed',
  code: 'status-413',
  says: /limits the size of a request: .* answered 413/,
}
const limited = network('rate-limited', /limits the rate of requests: .* answered 429/)
const gone = (status: number) =>
  network(`status-${status}`, new RegExp(`answered ${status}.* after \\d attempts`))

/** How it ends when the answer stays the same, and what one such answer comes to. */
const ENDS: Record<StatusFault, { once: Expected; always: Expected }> = {
  '401-without-challenge': same(denied),
  '401-basic': same(denied),
  '401-unknown-scheme': same(unknownChallenge),
  '401-malformed-challenge': same(unknownChallenge),
  '401-several-challenges': same(denied),
  '403': same(denied),
  '404-json': same(notFound),
  '404-html': same(notFound),
  '404-empty': same(notFound),
  '405': same(failed(405)),
  '406': same(failed(406)),
  '408': passing(gone(408)),
  '412': same(failed(412)),
  '413': same(tooLarge),
  '416-with-range': same(failed(416)),
  '416-without-range': same(failed(416)),
  '429-retry-after-seconds': passing(limited),
  '429-retry-after-date': passing(limited),
  '429-without-retry-after': passing(limited),
  '429-retry-after-huge': same(limited),
  '499': passing(gone(499)),
  '500': passing(gone(500)),
  '502-html': passing(gone(502)),
  '503': passing(gone(503)),
  '504': passing(gone(504)),
}

/** Where a request differs: an upload begins anew, or goes on in chunks (rules R55, R56, R241). */
const ONCE: Partial<Record<Place, Partial<Record<StatusFault, Expected>>>> = {
  putLayer: {
    // The repository itself is unknown: the same upload again would not help.
    '404-html': 'done',
    '404-empty': 'done',
    '405': 'done',
    '413': 'done',
    '416-with-range': 'done',
    '416-without-range': 'done',
  },
}

/** Registries don't tell a repository that is not there from one that may not be written to (rules R9, R10). */
const HIDDEN: ReadonlySet<Place> = new Set(['startUpload', 'putManifest'])

const PLACES: readonly [Place, string, readonly Verb[]][] = [
  ['getManifest', 'GET of the manifest', ['pull']],
  ['getBlob', 'GET of a blob', ['pull', 'copy']],
  ['startUpload', 'POST of an upload', ['push']],
  ['putLayer', 'PUT of the layer', ['push']],
  ['putManifest', 'PUT of the manifest', ['push', 'copy']],
]

testMatrix(
  'status',
  (Object.keys(STATUS_FAULTS) as StatusFault[]).flatMap(name =>
    PLACES.flatMap(([place, where, verbs]): Row[] => {
      const common = { fault: `status/${name}`, verbs }
      const route = ROUTES[place]
      const fault = STATUS_FAULTS[name]
      const isHidden = name === '404-json' && HIDDEN.has(place)
      const always = isHidden ? denied : ENDS[name].always
      // The first POST asks for the blob as well: refused, it is followed by one that does not (rule R66).
      const isForBlob = place === 'startUpload'
      const once = isForBlob ? 'done' : isHidden ? denied : (ONCE[place]?.[name] ?? ENDS[name].once)
      const also = (outcome: Outcome) => {
        if (!isForBlob || outcome.error !== undefined) checkDelays(name, outcome)
      }
      const rows: Row[] = [
        { ...common, when: `${where}, always`, rules: [{ route, fault }], expected: always, also },
      ]
      // What ends a transfer at once needs no second test.
      if (once === always) return rows
      const rules = [{ route, call: 1, fault }]
      return [...rows, { ...common, when: `${where}, once`, rules, expected: once, also }]
    }),
  ),
)

/** What a registry asks for is waited for, and no longer; the wait that nobody would sit through is told. */
function checkDelays(name: StatusFault, { delays, error }: Outcome): void {
  // As the clock of the test goes, later waits are shorter by what was waited before.
  const [first = 0] = delays
  if (name === '429-retry-after-seconds') {
    expect(first).toBeGreaterThan(6000)
    expect(first).toBeLessThanOrEqual(7000)
  }
  if (name === '429-retry-after-date') {
    expect(first).toBeGreaterThan(5000)
    expect(first).toBeLessThanOrEqual(8500)
  }
  if (name === '429-retry-after-huge') {
    expect(delays).toEqual([])
    expect(error instanceof RegctlError && error.hint).toMatch(/^Try again in 24 hours/)
  }
}

function same(expected: Expected) {
  return { once: expected, always: expected }
}

function passing(always: Expected) {
  return { once: 'done', always } as const
}
