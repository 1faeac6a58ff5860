import { sniffCompression } from '../compression/sniff.js'
import type { Descriptor, Platform } from '../content/descriptor.js'
import { type Digest, digestOf } from '../content/digest.js'
import { announcedCompression } from '../content/layer-types.js'
import type { ImageManifest } from '../content/manifest.js'
import { isForeignLayerType, isImageConfigType } from '../content/media-types.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, ImageContents, RawManifest, Source, StoredLayer } from '../content/store.js'
import { type HistoryEntry, type ReadConfig, type RunConfig, readImageConfig } from './inspect-config.js'

/** One image, as its manifest and its config describe it. */
export interface InspectedImage {
  /** Of its manifest. Absent in a docker-archive, where only compressing makes one. */
  digest?: Digest
  /** As `digest`. */
  mediaType?: string
  /** The image ID: the digest of its config. */
  id: Digest
  /** Absent when the config doesn't say. */
  platform?: Platform
  /** As the config has it. */
  created?: string
  author?: string
  /** Config and layers as they are stored, in bytes. */
  size: number
  /** The same with the layers uncompressed. Absent where only reading them would tell. */
  uncompressedSize?: number
  config: RunConfig
  /** From the base up. */
  layers: readonly InspectedLayer[]
  /** The steps by which it was made. Absent when there are none. */
  history?: readonly HistoryEntry[]
  /** Of its manifest. */
  annotations?: Readonly<Record<string, string>>
}

/** A layer of an image. */
export interface InspectedLayer {
  /** As stored. Absent in a docker-archive. */
  digest?: Digest
  /** Absent when the config doesn't say. */
  diffID?: Digest
  /** Absent in a docker-archive. */
  mediaType?: string
  /** As stored, in bytes. */
  size: number
  /** The command that made it. Absent when the history doesn't say. */
  createdBy?: string
}

/** Something that is kept as images are and is none: a chart, a signature, an SBOM. */
export interface InspectedArtifact {
  digest: Digest
  mediaType: string
  /** What it is. That of its config where it states none (image-spec, Guidelines for Artifact Usage). */
  artifactType: string
  config: Descriptor
  /** Config and layers, in bytes. */
  size: number
  /** With their annotations: the title is a file's name. */
  layers: readonly Descriptor[]
  annotations?: Readonly<Record<string, string>>
}

/** Whether a config's type is that of an image, as it is where none is said. */
export function describesImage(configType: string): boolean {
  return configType === '' || isImageConfigType(configType)
}

/** Whether a manifest is no image's: by its config, or because none of its layers holds files of an image. */
export function isArtifact({ config, layers }: ImageManifest): boolean {
  if (!describesImage(config.mediaType)) return true
  const isLayer = ({ mediaType }: Descriptor) =>
    mediaType === '' ||
    announcedCompression(mediaType) !== undefined ||
    isForeignLayerType(mediaType) ||
    /[.+](?:tar|diff)\b/.test(mediaType)
  return layers.length > 0 && !layers.some(isLayer)
}

/** What a manifest says of an artifact; its config is not read. */
export function describeArtifact(raw: RawManifest, manifest: ImageManifest): InspectedArtifact {
  const { config, layers } = manifest
  const guessed = describesImage(config.mediaType) ? layers[0]?.mediaType : config.mediaType
  return {
    digest: raw.descriptor.digest,
    mediaType: manifest.mediaType,
    artifactType: manifest.artifactType || guessed || '',
    config,
    size: sizeOf([config, ...layers]),
    layers,
    ...annotationsOf(manifest),
  }
}

/**
 * Reads the config of an image, and nothing else of it.
 *
 * @throws ContentError when it is too large, not what its digest says or no JSON object; what the source throws
 */
export async function inspectManifest(
  raw: RawManifest,
  manifest: ImageManifest,
  source: Source,
  context: Context,
): Promise<InspectedImage> {
  const { config, layers } = manifest
  const what = `config ${config.digest} of ${source.label}`
  const read = readImageConfig(await readConfigBlob(source, config, context), what)
  const size = sizeOf([config, ...layers])
  const isPlain = layers.every(({ mediaType }) => announcedCompression(mediaType) === 'none')
  return {
    digest: raw.descriptor.digest,
    mediaType: manifest.mediaType,
    id: config.digest,
    ...fieldsOf(read, size, isPlain),
    layers: withConfig(
      layers.map(({ digest, mediaType, size }) => ({ digest, mediaType, size })),
      read,
    ),
    ...annotationsOf(manifest),
  }
}

/**
 * Describes an image that has no manifest yet. Of each layer only the first bytes are read.
 *
 * @throws ContentError when the config is no JSON object; what opening a layer throws
 */
export async function inspectContents(
  { config, layers }: ImageContents,
  label: string,
): Promise<InspectedImage> {
  const read = readImageConfig(config, `config of ${label}`)
  const size = config.length + sizeOf(layers)
  const isPlain = (await Promise.all(layers.map(isUncompressed))).every(plain => plain)
  return {
    id: digestOf(config),
    ...fieldsOf(read, size, isPlain),
    layers: withConfig(
      layers.map(({ diffID, size }) => ({ diffID, size })),
      read,
    ),
  }
}

async function isUncompressed(layer: StoredLayer): Promise<boolean> {
  const stream = await layer.open()
  for await (const chunk of stream) return sniffCompression(chunk as Buffer) === 'none'
  return true
}

function fieldsOf(
  { platform, created, author, config, history }: ReadConfig,
  size: number,
  isPlain: boolean,
): Omit<InspectedImage, 'id' | 'layers'> {
  return {
    ...(platform !== undefined && { platform }),
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    size,
    ...(isPlain && { uncompressedSize: size }),
    config,
    ...(history.length > 0 && { history }),
  }
}

/** The config lists diffIDs and history for itself: they belong to the layers only if there are as many. */
function withConfig(layers: readonly InspectedLayer[], { diffIDs, history }: ReadConfig): InspectedLayer[] {
  const steps = history.filter(({ emptyLayer }) => emptyLayer !== true)
  return layers.map((layer, position) => {
    const diffID = layer.diffID ?? (diffIDs.length === layers.length ? diffIDs[position] : undefined)
    const createdBy = steps.length === layers.length ? steps[position]?.createdBy : undefined
    return {
      ...layer,
      ...(diffID !== undefined && { diffID }),
      ...(createdBy !== undefined && { createdBy }),
    }
  })
}

function annotationsOf({ annotations }: ImageManifest): Pick<InspectedImage, 'annotations'> {
  return Object.keys(annotations).length === 0 ? {} : { annotations }
}

function sizeOf(parts: readonly { size: number }[]): number {
  return parts.reduce((sum, { size }) => sum + size, 0)
}
