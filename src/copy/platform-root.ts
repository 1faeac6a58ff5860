import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { type ImageManifest, type Index, isObject, parseJson, parseManifest } from '../content/manifest.js'
import { isIndexType } from '../content/media-types.js'
import { formatPlatform, matchesPlatform, selectPlatform } from '../content/platform.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, RawManifest } from '../content/store.js'
import { CopyError } from './copy-error.js'
import type { Root } from './derived-source.js'
import { MAXIMUM_DEPTH } from './manifest-walk.js'

/**
 * The one image of an index that runs on a platform (rules R176, R179 to R182). Where none of an index's own entries
 * fits, the indexes within it that say nothing of a platform are searched. For a root that is a single image, its
 * config must fit.
 *
 * @throws CopyError `no-such-platform` that lists what there is; `too-deep`
 */
export async function platformRoot(
  { source, root }: Root,
  wanted: Platform,
  context: Context,
): Promise<Root> {
  const present: Platform[] = []
  // An index may be named many times, and so may those within it.
  const searched = new Set<Digest>()
  // Where a manifest would have to be made, it need not be for this.
  const contents = await source.openContents?.(context)
  if (contents !== undefined) {
    checkPlatform(contents.config, `config of ${source.label}`)
    return { source, root }
  }
  const raw = await source.getManifest(root, context)
  const { kind } = parse(raw)
  if (kind === 'image') await checkConfig(raw)
  const digest = await find(raw, 0)
  if (digest === undefined) throw noSuchPlatform()
  return { source, root: digest }

  async function find(current: RawManifest, depth: number): Promise<Digest | undefined> {
    const { digest } = current.descriptor
    const manifest = parse(current)
    if (manifest.kind === 'image') return digest
    if (depth >= MAXIMUM_DEPTH) throw tooDeep()
    if (searched.has(digest)) return undefined
    searched.add(digest)
    const chosen = selectPlatform(manifest.manifests, wanted)
    if (chosen !== undefined) return await find(await readChild(chosen), depth + 1)
    present.push(...manifest.manifests.flatMap(child => child.platform ?? []))
    for (const child of manifest.manifests) {
      if (child.platform !== undefined || !isIndexType(child.mediaType)) continue
      const found = await find(await readChild(child), depth + 1)
      if (found !== undefined) return found
    }
    return undefined
  }

  async function readChild(child: Descriptor): Promise<RawManifest> {
    const { bytes } = await source.getManifest(child.digest, context)
    return { bytes, descriptor: child }
  }

  function parse({ bytes, descriptor }: RawManifest): ImageManifest | Index {
    return parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest} of ${source.label}`)
  }

  async function checkConfig(image: RawManifest): Promise<void> {
    const manifest = parse(image)
    if (manifest.kind !== 'image') return
    const { config } = manifest
    const what = `config ${config.digest} of ${source.label}`
    checkPlatform(await readConfigBlob(source, config, context), what)
  }

  function checkPlatform(config: Uint8Array, what: string): void {
    const document = parseJson(config, what)
    const platform = isObject(document) ? platformOf(document) : undefined
    // A config that names no platform fits every one.
    if (platform === undefined || matchesPlatform(platform, wanted)) return
    present.push(platform)
    throw noSuchPlatform()
  }

  function noSuchPlatform(): CopyError {
    // Attestations are `unknown/unknown` (rule R176), and nothing to choose.
    const platforms = present.filter(({ os }) => os !== 'unknown')
    const list = [...new Set(platforms.map(formatPlatform))].join(', ')
    return new CopyError(`${source.label} has no image for ${formatPlatform(wanted)}`, {
      kind: 'not-found',
      code: 'no-such-platform',
      hint: list === '' ? undefined : `It has ${list}`,
    })
  }

  function tooDeep(): CopyError {
    return new CopyError(`${source.label} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
      kind: 'corrupt',
      code: 'too-deep',
    })
  }
}

function platformOf(config: Record<string, unknown>): Platform | undefined {
  const { os, architecture, variant } = config
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
}
