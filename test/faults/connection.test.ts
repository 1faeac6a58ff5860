import { describe, expect, it } from 'vitest'
import { RegctlError } from '../../src/errors.js'
import {
  CONNECTION_FAULTS,
  RAW_SERVERS,
  REFUSING_HOST,
  startRawServer,
} from '../support/faults/connection.js'
import { type Expected, network, ROUTES, type Row, testMatrix } from './matrix.js'
import { runAgainst, type Verb } from './transfer.js'

type ConnectionFault = keyof typeof CONNECTION_FAULTS

const closed = network('connection-reset', /failed: the connection was closed/)
const brokenOff = network('broken-download', /broke off: .* at byte \d+ of \d+ after \d attempts/)
const stalled = network('stalled', /nothing|silent|no answer/i)

const PLACES = [
  ['getManifest', 'GET of the manifest', ['pull']],
  ['getLayer', 'GET of the layer', ['pull', 'copy']],
  ['putLayer', 'PUT of the layer', ['push', 'copy']],
  ['putManifest', 'PUT of the manifest', ['push']],
] as const satisfies [keyof typeof ROUTES, string, readonly Verb[]][]

/** How it ends when it never gets better, by request. Those that aren't named go well all the same. */
const ALWAYS: Record<ConnectionFault, Partial<Record<(typeof PLACES)[number][0], Expected>>> = {
  silent: { getManifest: stalled, getLayer: stalled, putLayer: stalled, putManifest: stalled },
  'reset-before-status': { getManifest: closed, getLayer: closed, putLayer: closed, putManifest: closed },
  'reset-before-body': { getLayer: brokenOff },
  // Every attempt brings a bit more.
  'reset-in-body': {},
  'close-in-body': {},
  'silent-in-body': {},
  'close-at-keep-alive': {},
  dribble: {},
}

const options = { client: { stallTimeoutMs: 150 } }

testMatrix(
  'connection',
  (Object.keys(CONNECTION_FAULTS) as ConnectionFault[]).flatMap(name =>
    PLACES.flatMap(([place, where, verbs]): Row[] => {
      // Smaller answers are over before it happens.
      if (name.endsWith('-body') && place !== 'getLayer') return []
      const common = { fault: `connection/${name}`, verbs, options, requestsAtMost: 60 }
      const [route, fault] = [ROUTES[place], CONNECTION_FAULTS[name]]
      return [
        { ...common, when: `${where}, once`, rules: [{ route, call: 1, fault }], expected: 'done' },
        {
          ...common,
          when: `${where}, always`,
          rules: [{ route, fault }],
          expected: ALWAYS[name][place] ?? 'done',
        },
      ]
    }),
  ),
)

describe('connection:', () => {
  const VERBS: readonly Verb[] = ['push', 'pull', 'copy']

  it.each(VERBS)('%s ends with connection-refused where nobody listens', async verb => {
    const error = await runAgainst(verb, REFUSING_HOST)
    expect(error).toBeInstanceOf(RegctlError)
    expect(error).toMatchObject({ kind: 'network', code: 'connection-refused' })
    expect((error as Error).message).toMatch(/failed: connection refused after 2 attempts$/)
  })

  const RAW: Record<keyof typeof RAW_SERVERS, { code: string; says: RegExp; name?: string }> = {
    'accept-and-stay-silent': { code: 'stalled', says: /after 5 attempts/ },
    'reset-on-accept': { code: 'connection-reset', says: /the connection was closed after 5 attempts$/ },
    'tls-alert': {
      code: 'tls-refused',
      says: /refuses to speak TLS \(protocol version\)$/,
      name: 'registry.test',
    },
    'plain-http-on-tls-port': { code: 'http-response', says: /HTTP/, name: 'registry.test' },
  }
  for (const [name, { code, says, name: hostname }] of Object.entries(RAW)) {
    it.each(VERBS)(`%s ends with ${code} after ${name}`, async verb => {
      await using server = await startRawServer(RAW_SERVERS[name as keyof typeof RAW_SERVERS])
      const host = hostname === undefined ? server.host : server.host.replace('127.0.0.1', hostname)
      const stallTimeoutMs = name === 'accept-and-stay-silent' ? 100 : 5000
      const error = await runAgainst(verb, host, { stallTimeoutMs })
      expect(error).toBeInstanceOf(RegctlError)
      expect((error as Error).message).toMatch(says)
      expect(error).toMatchObject({ kind: 'network', code })
    })
  }
})
