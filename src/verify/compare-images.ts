import type { Descriptor } from '../content/descriptor.js'
import { announcedCompression } from '../content/layer-types.js'
import type { Context } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { type ImageFacts, type RootFacts, readFacts } from './image-facts.js'

/** In what two images differ. */
export interface Difference {
  /** `content` makes another image of it; `packaging` is how the same image is kept. */
  kind: 'content' | 'packaging'
  /** Which image of an index. Absent where that is clear, and for the index as a whole. */
  platform?: string
  /** `digest`, `platforms`, `config`, `layers`, `media-type`, `compression`, `annotations`. */
  what: string
  /** One line: both sides of it. */
  message: string
}

/** What a comparison came to. */
export interface Comparison {
  /**
   * `identical`: the same digest. `same-image`: the same configs and layers in another packaging. `different`: anything
   * else.
   */
  result: 'identical' | 'same-image' | 'different'
  differences: readonly Difference[]
  /** The platforms that both have; of an index against a single image, that one's. */
  platforms: readonly string[]
}

/** A root with what it is called in messages. */
export interface NamedRoot extends Root {
  label: string
}

/**
 * Whether two images or indexes are the same, by their manifests and configs: no layer is read. An image's config names
 * its layers by diffID, so images with the same config have the same content, however their layers are compressed.
 * Of an index and a single image, the index's image for the same platform is compared.
 *
 * @throws RegctlError when one of them is missing or broken
 */
export async function compareImages(
  first: NamedRoot,
  second: NamedRoot,
  context: Context,
): Promise<Comparison> {
  const [one, other] = await Promise.all([
    readFacts(first, first.label, context),
    readFacts(second, second.label, context),
  ])
  const platforms = [...one.images.keys()].filter(platform => other.images.has(platform))
  if (one.digest !== undefined && one.digest === other.digest) {
    return { result: 'identical', differences: [], platforms }
  }
  const differences = [
    ...compareRoots(one, other),
    ...platforms.flatMap(platform => comparePlatform(platform)),
  ]
  const isDifferent = differences.some(({ kind }) => kind === 'content')
  return { result: isDifferent ? 'different' : 'same-image', differences, platforms }

  function comparePlatform(platform: string): Difference[] {
    const [left, right] = [one.images.get(platform), other.images.get(platform)]
    if (left === undefined || right === undefined) return []
    const found = [...compareContent(left, right), ...comparePackaging(left, right)]
    return platform === '' ? found : found.map(difference => ({ ...difference, platform }))
  }
}

function compareRoots(one: RootFacts, other: RootFacts): Difference[] {
  const differences: Difference[] = []
  if (one.digest !== undefined && other.digest !== undefined) {
    differences.push({ kind: 'packaging', what: 'digest', message: `${one.digest} against ${other.digest}` })
  }
  const missing = (from: RootFacts, to: RootFacts) =>
    [...from.images.keys()].filter(platform => !to.images.has(platform))
  const isMixed = one.isIndex !== other.isIndex
  for (const [left, right] of [
    [one, other],
    [other, one],
  ] as const) {
    const only = missing(left, right)
    if (only.length === 0) continue
    // A single image is compared with its like: that the index has others is no difference of the two.
    const kind = isMixed && left.isIndex && only.length < left.images.size ? 'packaging' : 'content'
    const list = only.map(platform => platform || 'an image without a platform').join(', ')
    differences.push({ kind, what: 'platforms', message: `only ${left.label} has ${list}` })
  }
  return differences
}

function compareContent(one: ImageFacts, other: ImageFacts): Difference[] {
  const differences: Difference[] = []
  const content = (what: string, message: string) => differences.push({ kind: 'content', what, message })
  if (one.configDigest !== other.configDigest) {
    const keys = [...new Set([...one.config.keys(), ...other.config.keys()])]
    const changed = keys.filter(key => one.config.get(key) !== other.config.get(key))
    const fields = changed.length === 0 ? '' : ` (other ${changed.join(', ')})`
    content('config', `${one.configDigest} against ${other.configDigest}${fields}`)
  }
  const count = Math.max(one.diffIDs.length, other.diffIDs.length)
  const position = Array.from({ length: count }, (_, at) => at).find(
    at => one.diffIDs[at] !== other.diffIDs[at],
  )
  if (position !== undefined) {
    const [left = 'none', right = 'none'] = [one.diffIDs[position], other.diffIDs[position]]
    content('layers', `layer ${position + 1} of ${count}: ${left} against ${right}`)
  }
  return differences
}

function comparePackaging({ manifest: one }: ImageFacts, { manifest: other }: ImageFacts): Difference[] {
  if (one === undefined || other === undefined) return []
  const differences: Difference[] = []
  const packaging = (what: string, message: string) => differences.push({ kind: 'packaging', what, message })
  if (one.mediaType !== other.mediaType)
    packaging('media-type', `${one.mediaType} against ${other.mediaType}`)
  for (const [position, layer] of one.layers.entries()) {
    const like = other.layers[position]
    if (like === undefined || like.digest === layer.digest) continue
    const [left, right] = [layer, like].map(describeLayer)
    packaging('compression', `layer ${position + 1}: ${left} against ${right}`)
    break
  }
  const keys = [...new Set([...Object.keys(one.annotations), ...Object.keys(other.annotations)])]
  const changed = keys.filter(key => one.annotations[key] !== other.annotations[key])
  if (changed.length > 0) packaging('annotations', changed.join(', '))
  return differences
}

function describeLayer({ mediaType, size }: Descriptor): string {
  const compression = announcedCompression(mediaType)
  return `${compression === 'none' ? 'uncompressed' : (compression ?? mediaType)} of ${size} bytes`
}
