import { expect } from 'vitest'
import { resetAfter } from '../support/faults/connection.js'
import { DOWNLOAD_FAULTS } from '../support/faults/download.js'
import { corrupt, type Expected, network, ROUTES, type Row, testMatrix } from './matrix.js'
import type { Outcome, TransferOptions, Verb } from './transfer.js'

const verbs: readonly Verb[] = ['pull', 'copy']
const route = ROUTES.getLayer
/** The rest has to be asked for by a Range. */
const cut = { route, call: 1, fault: resetAfter(5000) }

type DownloadFault = keyof typeof DOWNLOAD_FAULTS

function afterCut(
  name: DownloadFault,
  when: string,
  call: number | { from: number },
  expected: Expected,
): Row {
  const rules = [cut, { route, call, fault: DOWNLOAD_FAULTS[name] }]
  return { fault: `download/${name}`, when, verbs, rules, expected }
}

function row(
  name: DownloadFault,
  times: 'once' | 'always',
  expected: Expected,
  more: { options?: TransferOptions; also?: (outcome: Outcome) => void } = {},
): Row {
  const call = times === 'once' ? 1 : { from: 1 }
  const rules = [{ route, call, fault: DOWNLOAD_FAULTS[name] }]
  return { fault: `download/${name}`, when: times, verbs, rules, expected, ...more }
}

const tokens: TransferOptions = { registry: { tokens: {} } }
/** The registry's login stays with the registry (rules R209, R210). */
const withoutLogin = ({ source }: Outcome) => {
  expect(source?.storeRequests.length).toBeGreaterThan(0)
  for (const { authorization } of source?.storeRequests ?? []) expect(authorization).toBeUndefined()
}

testMatrix('download', [
  afterCut('200-to-a-range', 'after a cut, always', { from: 1 }, 'done'),
  // It is asked for from the start then, without a Range.
  afterCut('206-at-another-offset', 'after a cut, always', { from: 1 }, 'done'),
  row('one-byte-too-many', 'once', 'done'),
  row('one-byte-too-many', 'always', corrupt('size-mismatch', /bytes/)),
  row('one-byte-too-few', 'once', 'done'),
  row('one-byte-too-few', 'always', network('broken-download', /at byte \d+ of \d+/)),
  row('bit-flipped', 'once', 'done'),
  row('bit-flipped', 'always', corrupt('digest-mismatch', /digest/)),
  row('redirect-chain', 'always', 'done', { ...{ options: tokens }, also: withoutLogin }),
  row('redirect-endless', 'always', network('redirect-loop', /more than 10 redirects/)),
  row('redirect-loop', 'always', network('redirect-loop', /redirects in a circle/)),
  row('redirect-to-loopback', 'always', network('unsafe-url', /internal address on another host/), {
    options: { name: 'registry.test', client: { insecureRegistries: ['registry.test'] } },
  }),
  row('redirect-to-store', 'always', 'done', { options: tokens, also: withoutLogin }),
  row('redirect-expired', 'once', 'done'),
  row('redirect-expired', 'always', {
    kind: 'denied',
    code: 'denied',
    says: /answered 403/,
  }),
])
