import { Readable } from 'node:stream'
import { createContext } from '../../src/content/context.js'
import { digestOf } from '../../src/content/digest.js'
import type { CopyEvent } from '../../src/content/events.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { BlobContent } from '../../src/content/store.js'
import { anonymous, type CredentialLookup } from '../../src/credentials/credential-store.js'
import { RegistryClient, type RegistryClientOptions } from '../../src/registry/client.js'
import type { Repository } from '../../src/registry/repository.js'

export const CANARY = 'canary-secret'
export const canary: CredentialLookup = {
  find: async () => ({ kind: 'password', username: 'ada', password: CANARY, from: 'the test' }),
}
export const BASIC = `Basic ${Buffer.from(`ada:${CANARY}`).toString('base64')}`
export const BYTES = Buffer.from('the bytes of a layer')
export const DIGEST = digestOf(BYTES)
export const DESCRIPTOR = { mediaType: MediaType.ociLayer, digest: DIGEST, size: BYTES.length }
export const MANIFEST = rawManifest(
  MediaType.ociManifest,
  Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: { mediaType: MediaType.ociConfig, digest: DIGEST, size: BYTES.length },
      layers: [],
    }),
  ),
)
export const MANIFEST_HEADERS = { 'content-type': MediaType.ociManifest }

/** A client whose retries don't wait, with what it logged and reported. */
export function clientOf(options: Partial<RegistryClientOptions> = {}) {
  const lines: string[] = []
  const events: CopyEvent[] = []
  const delays: number[] = []
  const client = new RegistryClient({
    credentials: anonymous,
    log: line => lines.push(line),
    ...options,
    retry: {
      sleep: async delayMs => void delays.push(delayMs),
      // What was slept has passed.
      now: () => delays.reduce((sum, delayMs) => sum + delayMs, Date.now()),
      ...options.retry,
    },
  })
  return { client, lines, events, delays, context: createContext({ emit: event => events.push(event) }) }
}

export function blobFrom(origin: Repository, open?: () => Readable): BlobContent {
  return {
    descriptor: DESCRIPTOR,
    origin,
    open: async () => open?.() ?? Readable.from([BYTES.subarray(0, 5), BYTES.subarray(5)]),
  }
}
