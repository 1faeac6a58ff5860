import type { Descriptor } from './descriptor.js'
import type { Digest } from './digest.js'
import { parseManifest } from './manifest.js'
import type { RawManifest } from './store.js'

/** A manifest that points at another, as the list of referrers of that other shows it. */
export interface Referrer {
  /** The digest that is pointed at. Nothing need be there. */
  subject: Digest
  descriptor: Descriptor
}

/**
 * What a list of referrers says of a manifest (distribution-spec, Listing Referrers; rule R81): its own descriptor, the
 * artifactType (the manifest's, else the config's media type; none for an index without one) and all its annotations.
 *
 * @returns undefined when the manifest has no `subject`
 * @throws ContentError when the bytes are no manifest
 */
export function referrerOf(manifest: RawManifest): Referrer | undefined {
  const { mediaType, digest, size } = manifest.descriptor
  const parsed = parseManifest(manifest.bytes, mediaType, `manifest ${digest}`)
  if (parsed.subject === undefined) return undefined
  const own =
    parsed.artifactType === undefined || parsed.artifactType === '' ? undefined : parsed.artifactType
  const artifactType = own ?? (parsed.kind === 'image' ? parsed.config.mediaType : undefined)
  return {
    subject: parsed.subject.digest,
    descriptor: {
      mediaType,
      digest,
      size,
      ...(artifactType !== undefined && { artifactType }),
      ...(Object.keys(parsed.annotations).length > 0 && { annotations: parsed.annotations }),
    },
  }
}
