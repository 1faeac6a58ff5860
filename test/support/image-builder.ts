import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { pack } from 'tar-stream'
import type { Descriptor, Platform } from '../../src/content/descriptor.js'
import { type Digest, digestOf, hexOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { RawManifest } from '../../src/content/store.js'
import { randomBytes } from './random-bytes.js'

/** What goes into a layer: files with their content, or one file of that many bytes that look random. */
export type LayerContent = Readonly<Record<string, string | Uint8Array>> | { seed: number; size: number }

/** Whether a layer is to be made of bytes that look random. */
export function isRandom(content: LayerContent): content is { seed: number; size: number } {
  return typeof content.size === 'number' && typeof content.seed === 'number'
}

/** An image in memory, with everything that belongs to it. */
export interface BuiltImage {
  manifest: RawManifest
  config: Descriptor
  layers: readonly Descriptor[]
  diffIDs: readonly Digest[]
  /** The config and the layers, by digest. */
  blobs: ReadonlyMap<Digest, Buffer>
}

/** What an image shall be like. */
export interface ImageOptions {
  /** The base first. One small layer when not given. */
  layers?: readonly LayerContent[]
  /** Whether the layers are compressed; they are when not given. */
  compression?: 'gzip' | 'none'
  /** Docker's media types instead of those of the OCI. */
  docker?: boolean
  platform?: Platform
  annotations?: Record<string, string>
  subject?: Descriptor
  artifactType?: string
}

/** Makes an image in memory. The same options give the same bytes, except where zlib differs. */
export async function buildImage(options: ImageOptions = {}): Promise<BuiltImage> {
  const blobs = new Map<Digest, Buffer>()
  const add = (mediaType: string, bytes: Buffer): Descriptor => {
    const digest = digestOf(bytes)
    blobs.set(digest, bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const types = options.docker === true ? DOCKER_TYPES : OCI_TYPES
  const zipped = options.compression !== 'none'
  const tars = await Promise.all((options.layers ?? [{ 'etc/motd': 'welcome\n' }]).map(buildLayer))
  const layers = tars.map(tar => (zipped ? add(types.gzip, gzipSync(tar)) : add(types.tar, tar)))
  const diffIDs = tars.map(tar => digestOf(tar))
  const config = add(types.config, configBytes(diffIDs, options.platform))
  const manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    ...(options.artifactType !== undefined && { artifactType: options.artifactType }),
    config,
    layers,
    ...(options.subject !== undefined && { subject: options.subject }),
    ...(options.annotations !== undefined && { annotations: options.annotations }),
  }
  return {
    manifest: rawManifest(types.manifest, Buffer.from(JSON.stringify(manifest))),
    config,
    layers,
    diffIDs,
    blobs,
  }
}

const OCI_TYPES = {
  manifest: MediaType.ociManifest,
  config: MediaType.ociConfig,
  tar: MediaType.ociLayer,
  gzip: MediaType.ociLayerGzip,
}

const DOCKER_TYPES = {
  manifest: MediaType.dockerManifest,
  config: MediaType.dockerConfig,
  tar: MediaType.dockerLayer,
  gzip: MediaType.dockerLayerGzip,
}

/** Makes an index of manifests, with the platform of each where one is given. */
export function buildIndex(
  entries: readonly { manifest: RawManifest; platform?: Platform; annotations?: Record<string, string> }[],
  options: { docker?: boolean; annotations?: Record<string, string> } = {},
): RawManifest {
  const mediaType = options.docker === true ? MediaType.dockerManifestList : MediaType.ociIndex
  const index = {
    schemaVersion: 2,
    mediaType,
    manifests: entries.map(({ manifest, platform, annotations }) => ({
      ...manifest.descriptor,
      ...(platform !== undefined && { platform }),
      ...(annotations !== undefined && { annotations }),
    })),
    ...(options.annotations !== undefined && { annotations: options.annotations }),
  }
  return rawManifest(mediaType, Buffer.from(JSON.stringify(index)))
}

/** A layer as an uncompressed tar. */
export async function buildLayer(content: LayerContent): Promise<Buffer> {
  const tar = pack()
  const files = isRandom(content) ? { data: randomBytes(content.seed, content.size) } : content
  for (const [name, bytes] of Object.entries(files)) {
    tar.entry({ name, mtime: new Date(0) }, typeof bytes === 'string' ? bytes : Buffer.from(bytes))
  }
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The config of an image of these layers. */
export function configBytes(diffIDs: readonly Digest[], platform?: Platform): Buffer {
  const { os, architecture, ...rest } = platform ?? { os: 'linux', architecture: 'amd64' }
  const history = diffIDs.map((_, position) => ({ created_by: `layer ${position}` }))
  const rootfs = { type: 'layers', diff_ids: diffIDs }
  return Buffer.from(JSON.stringify({ architecture, os, ...rest, config: {}, rootfs, history }))
}

/**
 * Writes an OCI image layout (image-spec, Image Layout).
 *
 * @param folder made when it is not there
 * @param roots what `index.json` has, each with its tag where it has one
 * @param manifests what these name, manifests and indexes, besides the roots themselves
 */
export async function writeLayout(
  folder: string,
  roots: readonly { manifest: RawManifest; tag?: string }[],
  blobs: ReadonlyMap<Digest, Uint8Array>,
  manifests: readonly RawManifest[] = [],
): Promise<void> {
  await mkdir(join(folder, 'blobs/sha256'), { recursive: true })
  const write = (digest: Digest, bytes: Uint8Array) =>
    writeFile(join(folder, 'blobs/sha256', hexOf(digest)), bytes)
  for (const [digest, bytes] of blobs) await write(digest, bytes)
  for (const { descriptor, bytes } of [...roots.map(root => root.manifest), ...manifests]) {
    await write(descriptor.digest, bytes)
  }
  const entries = roots.map(({ manifest, tag }) => ({
    ...manifest.descriptor,
    ...(tag !== undefined && { annotations: { 'org.opencontainers.image.ref.name': tag } }),
  }))
  const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: entries }
  await writeFile(join(folder, 'index.json'), JSON.stringify(index))
  await writeFile(join(folder, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}
