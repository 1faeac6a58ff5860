import { describe, expect, it } from 'vitest'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import { checkArchivable } from './write-manifest-json.js'

const DIGEST = `sha256:${'a'.repeat(64)}`

function manifestWith(configType: string, layerType: string) {
  const descriptor = (mediaType: string) => ({ mediaType, digest: DIGEST, size: 2 })
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: descriptor(configType),
    layers: [descriptor(layerType)],
  }
  return rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
}

describe('checkArchivable', () => {
  it('takes images of the OCI and of Docker', () => {
    for (const type of [MediaType.ociConfig, MediaType.dockerConfig]) {
      expect(checkArchivable(manifestWith(type, MediaType.ociLayerGzip)).config.digest).toBe(DIGEST)
    }
  })

  it('refuses an artifact, which no docker load could read, and says what can hold it', () => {
    const artifact = manifestWith(MediaType.ociEmpty, 'text/plain')
    expect(() => checkArchivable(artifact)).toThrow(
      `${artifact.descriptor.digest} is no container image: its config is application/vnd.oci.empty.v1+json`,
    )
    expect(() => checkArchivable(artifact)).toThrow(
      expect.objectContaining({ code: 'not-an-image', hint: expect.stringContaining('oci-archive') }),
    )
  })

  it('refuses an index, and an image with a layer that may not be distributed', () => {
    const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] }
    expect(() =>
      checkArchivable(rawManifest(MediaType.ociIndex, Buffer.from(JSON.stringify(index)))),
    ).toThrow('is an index, and a docker-archive holds single images')
    const foreign = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip'
    expect(() => checkArchivable(manifestWith(MediaType.ociConfig, foreign))).toThrow('has the foreign layer')
  })
})
