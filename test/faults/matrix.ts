import { describe, expect, it } from 'vitest'
import { type ErrorKind, RegctlError } from '../../src/errors.js'
import type { FaultRule } from '../support/faulty-registry.js'
import type { BuiltImage } from '../support/image-builder.js'
import { IMAGE, type Outcome, type TransferOptions, transfer, type Verb } from './transfer.js'

/** How a transfer has to end: well, or with this error. */
export type Expected = 'done' | { kind: ErrorKind; code: string; says: RegExp }

/** One line of the matrix. */
export interface Row {
  /** As in docs/faults.md: `status/503`. */
  fault: string
  /** Where and how often it happens, for the name of the test. */
  when: string
  verbs: readonly Verb[]
  rules: readonly FaultRule[]
  expected: Expected
  options?: TransferOptions
  /** The registry had it all when it failed. */
  isWhole?: true
  /** The most requests to the registry, or to both of a copy. 40 when not given. */
  requestsAtMost?: number
  /** What else must hold. */
  also?: (outcome: Outcome) => void
}

const REQUESTS_AT_MOST = 40

/** Makes a test of each row for each of its verbs. */
export function testMatrix(family: string, rows: readonly Row[]): void {
  describe(`${family}:`, () => {
    for (const row of rows) {
      for (const verb of row.verbs) {
        const ends = row.expected === 'done' ? 'succeeds' : `ends with ${row.expected.code}`
        it(`${verb} ${ends} after ${row.fault} (${row.when})`, async () => {
          check(await transfer(verb, row.rules, row.options), row)
        })
      }
    }
  })
}

function check(outcome: Outcome, row: Row): void {
  const { error } = outcome
  const { expected, requestsAtMost = REQUESTS_AT_MOST, also } = row
  if (expected === 'done') {
    expect(error).toBeUndefined()
    expect(outcome.isWhole).toBe(true)
  } else {
    if (!(error instanceof RegctlError)) throw error ?? new Error('it succeeded')
    expect(error.message).toMatch(expected.says)
    expect({ kind: error.kind, code: error.code }).toEqual({ kind: expected.kind, code: expected.code })
    // One line without markup or control characters, whatever the registry sent.
    expect(error.message).toMatch(/^[\x20-\x7e…]{1,1000}$/)
    expect(error.message).not.toMatch(/<[a-z]/i)
    expect(outcome.isWhole).toBe(row.isWhole ?? false)
  }
  expect(outcome.broken).toEqual([])
  expect(outcome.lines.length).toBeLessThanOrEqual(requestsAtMost)
  also?.(outcome)
}

/** Requests that matter, as {@link FaultRule.route} wants them. */
export const ROUTES = {
  getManifest: /^GET .*\/manifests\//,
  headManifest: /^HEAD .*\/manifests\//,
  getBlob: /^GET .*\/blobs\/sha256/,
  getLayer: layerRoute(IMAGE),
  headBlob: /^HEAD .*\/blobs\//,
  startUpload: /^POST /,
  putBlob: /^PUT .*\/blobs\/uploads/,
  putLayer: putLayerRoute(IMAGE),
  uploadStatus: /^GET .*\/blobs\/uploads/,
  patchBlob: /^PATCH /,
  putManifest: /^PUT .*\/manifests\//,
} as const

/** The download of an image's layer. */
export function layerRoute(image: BuiltImage): RegExp {
  return new RegExp(`^GET .*/${image.layers[0]?.digest}`)
}

/** The end of the upload of an image's layer. */
export function putLayerRoute(image: BuiltImage): RegExp {
  return new RegExp(`^PUT .*/blobs/uploads.*${image.layers[0]?.digest.slice(7)}`)
}

/** Data that is not what it must be: exit code 6. */
export function corrupt(code: string, says: RegExp): Expected {
  return { kind: 'corrupt', code, says }
}

/** An error of the network: exit code 5. */
export function network(code: string, says: RegExp): Expected {
  return { kind: 'network', code, says }
}
