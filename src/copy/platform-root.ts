import type { Platform } from '../content/descriptor.js'
import { isObject, parseJson, parseManifest } from '../content/manifest.js'
import { formatPlatform, matchesPlatform, selectPlatform } from '../content/platform.js'
import type { Context } from '../content/store.js'
import { readLimited } from '../content/verify.js'
import { CopyError } from './copy-error.js'
import type { Root } from './derived-source.js'
import { MAXIMUM_DEPTH } from './plan.js'

/**
 * The one image of an index that runs on a platform (rules R176, R179 to R182). For a root that is a single image, its
 * config must fit.
 *
 * @throws CopyError `no-such-platform` that lists what there is
 */
export async function platformRoot(
  { source, root }: Root,
  wanted: Platform,
  context: Context,
): Promise<Root> {
  let current = await source.getManifest(root, context)
  for (let depth = 0; depth <= MAXIMUM_DEPTH; depth++) {
    const what = `manifest ${current.descriptor.digest} of ${source.label}`
    const manifest = parseManifest(current.bytes, current.descriptor.mediaType, what)
    if (manifest.kind === 'image') {
      if (depth === 0) await checkConfig()
      return { source, root: current.descriptor.digest }
    }
    const chosen = selectPlatform(manifest.manifests, wanted)
    if (chosen === undefined) throw noSuchPlatform(manifest.manifests.flatMap(child => child.platform ?? []))
    const child = await source.getManifest(chosen.digest, context)
    current = { bytes: child.bytes, descriptor: chosen }
  }
  throw new CopyError(`${source.label} is nested deeper than ${MAXIMUM_DEPTH} indexes`, {
    kind: 'corrupt',
    code: 'too-deep',
  })

  async function checkConfig(): Promise<void> {
    const manifest = parseManifest(current.bytes, current.descriptor.mediaType, source.label)
    if (manifest.kind !== 'image') return
    const { config } = manifest
    const what = `config ${config.digest} of ${source.label}`
    const document = parseJson(
      await readLimited(await source.openBlob(config, context), config.size, what),
      what,
    )
    const platform = isObject(document) ? platformOf(document) : undefined
    // A config that names no platform fits every one.
    if (platform !== undefined && !matchesPlatform(platform, wanted)) throw noSuchPlatform([platform])
  }

  function noSuchPlatform(present: readonly Platform[]): CopyError {
    const list = [...new Set(present.map(formatPlatform))].join(', ')
    return new CopyError(`${source.label} has no image for ${formatPlatform(wanted)}`, {
      kind: 'not-found',
      code: 'no-such-platform',
      hint: list === '' ? undefined : `It has ${list}`,
    })
  }
}

function platformOf(config: Record<string, unknown>): Platform | undefined {
  const { os, architecture, variant } = config
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
}
