import { Readable } from 'node:stream'
import type { Platform } from '../content/descriptor.js'
import { parseManifest } from '../content/manifest.js'
import { isIndexType } from '../content/media-types.js'
import { hostPlatform } from '../content/platform.js'
import type { Reference } from '../content/reference.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { RememberedSource } from '../copy/remembered-source.js'
import { choosePlatform, openSource } from '../open/open-source.js'
import type { RegistryClient } from '../registry/client.js'

/** An image that a reference names, or the one for a platform of what it names. */
export interface FoundImage {
  /** Reads the repository, each manifest once. */
  source: Source
  raw: RawManifest
  /** The platform that was chosen of an index; undefined for a whole index, and for what is no index. */
  platform: Platform | undefined
  /** Whether nobody asked for this platform, but an index would not do. */
  isHostChoice: boolean
}

/** What {@link findImage} takes besides the reference. */
export interface FindOptions {
  client: RegistryClient
  /** Take this platform's image of an index. Default: the host's where `isSingle`, else the whole index. */
  platform?: Platform | undefined
  /** An index won't do. */
  isSingle: boolean
  /** Refuse a `name:tag@digest` whose tag has moved, instead of a warning. Default false. */
  checkTag?: boolean | undefined
}

/**
 * Finds what a reference names in its registry.
 *
 * @throws RegctlError when it is not there; CopyError `no-such-platform`; LocationError `tag-moved`
 */
export async function findImage(
  reference: Reference,
  context: Context,
  { client, platform, isSingle, checkTag }: FindOptions,
): Promise<FoundImage> {
  const named = await openSource({ kind: 'registry', reference }, context, {
    client,
    checkTag,
    stdin: Readable.from([]),
  })
  const source = new RememberedSource(named.source)
  const whole = await source.getManifest(named.root, context)
  const wanted = platform ?? (isSingle ? 'host' : undefined)
  if (wanted === undefined) return { source, raw: whole, platform: undefined, isHostChoice: false }
  const chosen = await choosePlatform({ source, root: whole.descriptor.digest }, wanted, context)
  const raw = await source.getManifest(chosen.root, context)
  if (raw === whole) return { source, raw, platform: undefined, isHostChoice: false }
  const found = platformIn(whole, raw) ?? platform ?? hostPlatform()
  return { source, raw, platform: found, isHostChoice: platform === undefined }
}

/** What an index says of one of its images; undefined where it stands in an index within it. */
function platformIn({ descriptor, bytes }: RawManifest, image: RawManifest): Platform | undefined {
  if (!isIndexType(descriptor.mediaType)) return undefined
  const index = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`)
  const entries = index.kind === 'index' ? index.manifests : []
  return entries.find(({ digest }) => digest === image.descriptor.digest)?.platform
}
