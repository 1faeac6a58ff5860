import type { DigestAlgorithm } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { RawManifest } from '../../src/content/store.js'
import { descriptorOf, manifestOf, noise } from '../contract/store-fixtures.js'
import type { RawClient } from './raw-client.js'

export interface ImageOptions {
  algorithm?: DigestAlgorithm
  configType?: string
  config?: Buffer
  layerType?: string
  layers?: readonly Buffer[]
  /** Puts each blob into its descriptor as `data` too. */
  data?: boolean
  /** More or other fields of the manifest. */
  fields?: Record<string, unknown>
}

/** Pushes the blobs of an image, and makes the manifest that names them. */
export async function pushImage(
  client: RawClient,
  repository: string,
  seed: string,
  options: ImageOptions = {},
): Promise<RawManifest> {
  const { algorithm = 'sha256', layers = [noise(700, `${seed} 1`), noise(900, `${seed} 2`)] } = options
  const push = async (bytes: Buffer, mediaType: string) => {
    await client.putBlob(repository, bytes, algorithm)
    const data = options.data === true ? { data: bytes.toString('base64') } : {}
    return { ...descriptorOf(bytes, mediaType, algorithm), ...data }
  }
  const config = options.config ?? Buffer.from(JSON.stringify({ os: 'linux', architecture: 'amd64', seed }))
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: await push(config, options.configType ?? MediaType.ociConfig),
    layers: [] as unknown[],
    ...options.fields,
  }
  for (const layer of layers)
    document.layers.push(await push(layer, options.layerType ?? MediaType.ociLayerGzip))
  return manifestOf(document, MediaType.ociManifest, { algorithm })
}
