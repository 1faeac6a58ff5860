import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { formatPlatform, hostPlatform, matchesPlatform } from '../content/platform.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { CopyError } from '../copy/copy-error.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import { RememberedSource } from '../copy/remembered-source.js'
import { messageOf } from '../errors.js'
import { type IndexEntry, imagesAmong, isAbsence, readEntries } from './inspect-entries.js'
import {
  describeArtifact,
  type InspectedArtifact,
  type InspectedImage,
  inspectContents,
  inspectManifest,
  isArtifact,
} from './inspect-image.js'

/** Everything that {@link inspect} finds, as plain values. What there is none of is absent. */
export interface Inspection {
  /** Of the root's manifest or index. Absent in a docker-archive, where only compressing makes one; so are the next two. */
  digest?: Digest
  mediaType?: string
  /** Of the manifest or index itself, in bytes. */
  size?: number
  /** Only of an index: what it names, in its order. */
  platforms?: readonly IndexEntry[]
  /** The image, or of an index that for the platform. Absent for an artifact, and where the index has none for it. */
  image?: InspectedImage
  /** In place of `image`. */
  artifact?: InspectedArtifact
  /** Of the root. */
  annotations?: Readonly<Record<string, string>>
  artifactType?: string
  subject?: Descriptor
}

/** What of an image is looked at. */
export interface InspectOptions {
  /**
   * The image of an index that is described. When not given it is that for this machine, or the only one; and if the
   * index has neither, none is.
   */
  platform?: Platform | undefined
}

/**
 * Describes an image, an index or an artifact from its manifests and the one config: no layer is read. Of a docker-archive
 * nothing is compressed. Values of the config that are of a wrong type are left out.
 *
 * @throws CopyError `no-such-platform` when there is no image for `options.platform`; ContentError when a manifest or
 * the config is too large or broken; what the source throws
 * @example
 * const { image } = await inspect({ source, root: '1.0' }, createContext(), { platform: parsePlatform('linux/arm64') })
 */
export async function inspect(
  { source, root }: Root,
  context: Context,
  { platform }: InspectOptions = {},
): Promise<Inspection> {
  const contents = await source.openContents?.(context)
  if (contents !== undefined) {
    const image = await inspectContents(contents, source.label)
    checkPlatform(image, platform, source)
    return { image }
  }
  const remembered = new RememberedSource(source)
  const raw = await remembered.getManifest(root, context)
  const manifest = parse(raw, source)
  const found = describeRoot(raw, manifest)
  if (manifest.kind === 'image') {
    const details = await describe(raw, manifest, source, context)
    if (details.image !== undefined) checkPlatform(details.image, platform, source)
    return { ...found, ...details }
  }
  const platforms = await readEntries(manifest, remembered, context)
  const chosen = await choose({ source: remembered, root }, platforms, platform, context)
  if (chosen === undefined) return { ...found, platforms }
  const child = parse(chosen, source)
  if (child.kind === 'index') return { ...found, platforms }
  return { ...found, platforms, ...(await describe(chosen, child, source, context)) }
}

function describeRoot({ descriptor }: RawManifest, manifest: ImageManifest | Index): Inspection {
  const { annotations, artifactType, subject, mediaType } = manifest
  return {
    digest: descriptor.digest,
    mediaType,
    size: descriptor.size,
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(artifactType !== undefined && artifactType !== '' && { artifactType }),
    ...(subject !== undefined && { subject }),
  }
}

async function describe(
  raw: RawManifest,
  manifest: ImageManifest,
  source: Source,
  context: Context,
): Promise<Pick<Inspection, 'image' | 'artifact'>> {
  return isArtifact(manifest)
    ? { artifact: describeArtifact(raw, manifest) }
    : { image: await inspectManifest(raw, manifest, source, context) }
}

/** The manifest of the image to describe. A file need not hold each image that an index names. */
async function choose(
  root: Root,
  platforms: readonly IndexEntry[],
  wanted: Platform | undefined,
  context: Context,
): Promise<RawManifest | undefined> {
  const { source } = root
  if (wanted !== undefined) {
    return await source.getManifest((await platformRoot(root, wanted, context)).root, context)
  }
  try {
    const [only, ...others] = imagesAmong(platforms)
    if (only === undefined) return undefined
    const digest =
      others.length === 0 ? only.digest : (await platformRoot(root, hostPlatform(), context)).root
    return await source.getManifest(digest, context)
  } catch (error) {
    if (!isAbsence(error)) throw error
    const isMissing = !(error instanceof CopyError)
    if (isMissing) context.emit({ type: 'warning', message: `the image is not shown: ${messageOf(error)}` })
    return undefined
  }
}

/** A single image is what it is: asking for another platform is a mistake. One that names none fits every one. */
function checkPlatform({ platform }: InspectedImage, wanted: Platform | undefined, source: Source): void {
  if (wanted === undefined || platform === undefined || matchesPlatform(platform, wanted)) return
  throw new CopyError(`${source.label} has no image for ${formatPlatform(wanted)}`, {
    kind: 'not-found',
    code: 'no-such-platform',
    hint: `It has ${formatPlatform(platform)}`,
  })
}

function parse({ bytes, descriptor }: RawManifest, source: Source): ImageManifest | Index {
  return parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest} of ${source.label}`)
}
