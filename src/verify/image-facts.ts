import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { digestOf } from '../content/digest.js'
import { type ImageManifest, parseJsonObject, parseManifest } from '../content/manifest.js'
import { isImageConfigType, isIndexType } from '../content/media-types.js'
import { formatPlatform, isAttestation, normalizePlatform } from '../content/platform.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, RawManifest } from '../content/store.js'
import { verifyBytes } from '../content/verify.js'
import type { Root } from '../copy/derived-source.js'
import { DockerArchiveSource } from '../docker-archive/docker-archive-source.js'
import { parseImageConfig } from '../docker-archive/manifest-json.js'
import { RegctlError } from '../errors.js'

const MAXIMUM_DEPTH = 8
const MAXIMUM_IMAGES = 1000

/** What makes one image what it is, wherever and however it is kept. */
export interface ImageFacts {
  /** `linux/arm/v7`; empty for an artifact. */
  platform: string
  configDigest: Digest
  /** The config's fields as JSON texts. Empty for an artifact. */
  config: ReadonlyMap<string, string>
  /** Of the uncompressed layers; of an artifact, those of the layers as they are. */
  diffIDs: readonly Digest[]
  /** How it is packaged; undefined in a docker-archive, where only a push makes a manifest. */
  manifest?: ImageManifest
}

/** What is compared of a root. */
export interface RootFacts {
  label: string
  /** Undefined in a docker-archive. */
  digest?: Digest
  isIndex: boolean
  /** By platform, in the order of the index; an image has one. Attestations are left out. */
  images: ReadonlyMap<string, ImageFacts>
}

/**
 * Reads what an image or index says of itself: manifests and configs, and no layer.
 *
 * @throws RegctlError when something of that is missing or broken
 */
export async function readFacts({ source, root }: Root, label: string, context: Context): Promise<RootFacts> {
  const images = new Map<string, ImageFacts>()
  if (source instanceof DockerArchiveSource) {
    const { bytes, diffIDs } = await source.imageConfig()
    const { platform, config } = describeConfig(bytes, label)
    images.set(platform, { platform, configDigest: digestOf(bytes), config, diffIDs })
    return { label, isIndex: false, images }
  }
  const raw = await source.getManifest(root, context)
  const { digest, mediaType } = raw.descriptor
  await collect(raw, undefined, 0)
  return { label, digest, isIndex: isIndexType(mediaType), images }

  async function collect(current: RawManifest, named: Platform | undefined, depth: number): Promise<void> {
    const what = `manifest ${current.descriptor.digest} of ${source.label}`
    const manifest = parseManifest(current.bytes, current.descriptor.mediaType, what)
    if (manifest.kind === 'image') return await addImage(manifest, named)
    if (depth >= MAXIMUM_DEPTH || images.size > MAXIMUM_IMAGES) {
      throw new RegctlError(`${label} has too many images, or indexes nested too deep`, {
        kind: 'corrupt',
        code: 'too-deep',
      })
    }
    for (const child of manifest.manifests.filter(entry => !isAttestation(entry))) {
      const { bytes } = await source.getManifest(child.digest, context)
      verifyBytes(bytes, child, `manifest ${child.digest} of ${source.label}`)
      await collect({ bytes, descriptor: child }, child.platform, depth + 1)
    }
  }

  async function addImage(manifest: ImageManifest, named: Platform | undefined): Promise<void> {
    const facts = await describeImage(manifest, named)
    // Windows has several versions for one platform, and an index may name whatever it likes twice.
    let key = facts.platform
    for (let number = 2; images.has(key); number++) key = `${facts.platform} (${number})`
    images.set(key, { ...facts, platform: key })
  }

  async function describeImage(manifest: ImageManifest, named: Platform | undefined): Promise<ImageFacts> {
    const { config, layers } = manifest
    const platform = named === undefined ? '' : formatPlatform(normalizePlatform(named))
    const isImage = isImageConfigType(config.mediaType)
    if (!isImage) {
      const diffIDs = layers.map((layer: Descriptor) => layer.digest)
      return { platform, configDigest: config.digest, config: new Map(), diffIDs, manifest }
    }
    const what = `config ${config.digest} of ${source.label}`
    const bytes = await readConfigBlob(source, config, context)
    const described = describeConfig(bytes, label)
    const { diffIDs } = parseImageConfig(bytes, what)
    return {
      platform: platform || described.platform,
      configDigest: config.digest,
      config: described.config,
      diffIDs,
      manifest,
    }
  }
}

function describeConfig(bytes: Uint8Array, label: string) {
  const document = parseJsonObject(bytes, `config of ${label}`)
  const { os, architecture, variant } = document
  const config = new Map(Object.entries(document).map(([key, value]) => [key, JSON.stringify(value)]))
  const isKnown = typeof os === 'string' && typeof architecture === 'string' && os !== ''
  if (!isKnown) return { platform: '', config }
  const platform = { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
  return { platform: formatPlatform(normalizePlatform(platform)), config }
}
