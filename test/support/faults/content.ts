import { digestOf } from '../../../src/content/digest.js'
import { MediaType } from '../../../src/content/media-types.js'
import { type Fault, instead, JSON_TYPE } from './fault.js'

const EMPTY = { mediaType: MediaType.ociConfig, digest: digestOf(Buffer.from('{}')), size: 2 }
const LAYER = { ...EMPTY, mediaType: MediaType.ociLayer }

function manifest(document: object, announced: string = MediaType.ociManifest): Fault {
  const mediaType = MediaType.ociManifest
  const text = JSON.stringify({ schemaVersion: 2, mediaType, config: EMPTY, layers: [LAYER], ...document })
  return instead(200, { 'content-type': announced }, text)
}

function layer(fields: string): Fault {
  const { mediaType } = LAYER
  // Written by hand: not everything here survives JSON.stringify.
  const text =
    `{"schemaVersion":2,"mediaType":"${MediaType.ociManifest}","config":${JSON.stringify(EMPTY)},` +
    `"layers":[{"mediaType":"${mediaType}",${fields}}]}`
  return instead(200, { 'content-type': MediaType.ociManifest }, text)
}

function tags(list: unknown): Fault {
  return instead(200, JSON_TYPE, JSON.stringify({ name: 'app', tags: list }))
}

/** The digest that the index below says it has: nobody can write one that holds its own. */
const SELF = digestOf(Buffer.from('self'))

/** What a registry serves that lies. */
export const CONTENT_FAULTS = {
  'tags-null': tags(null),
  'tag-like-an-escape-sequence': tags(['1.0', '\u001b[2J\u001b]0;owned\u0007']),
  'manifest-of-two-kinds': manifest({ manifests: [{ ...EMPTY, mediaType: MediaType.ociManifest }] }),
  'media-type-differs-from-header': manifest({}, MediaType.ociIndex),
  'size-negative': layer(`"digest":"${LAYER.digest}","size":-1`),
  'size-1e20': layer(`"digest":"${LAYER.digest}","size":1e20`),
  'digest-that-is-a-path': layer('"digest":"sha256:../../../../etc/passwd","size":2'),
  'index-containing-itself': instead(
    200,
    { 'content-type': MediaType.ociIndex },
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MediaType.ociIndex,
      manifests: [{ mediaType: MediaType.ociIndex, digest: SELF, size: 100 }],
    }),
  ),
  'manifest-of-5-mib': manifest({ annotations: { a: 'x'.repeat(5 * 1024 * 1024) } }),
} satisfies Record<string, Fault>
