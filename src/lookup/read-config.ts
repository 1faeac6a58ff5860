import type { Descriptor } from '../content/descriptor.js'
import { digestOf } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { RegctlError } from '../errors.js'

/** A config exactly as it is stored, with its descriptor. */
export interface RawConfig {
  descriptor: Descriptor
  bytes: Buffer
}

/**
 * Reads the config that an image's manifest names, of an artifact too. The bytes are verified. Of a docker-archive,
 * nothing is compressed for that.
 *
 * @throws RegctlError `not-one-image` of kind `usage` for an index; ContentError `too-large`; what the source throws
 */
export async function readConfig({ source, root }: Root, context: Context): Promise<RawConfig> {
  const contents = await source.openContents?.(context)
  if (contents !== undefined) {
    const bytes = Buffer.from(contents.config)
    const descriptor = { mediaType: MediaType.dockerConfig, digest: digestOf(bytes), size: bytes.length }
    return { descriptor, bytes }
  }
  const raw = await source.getManifest(root, context)
  const name = `manifest ${raw.descriptor.digest} of ${source.label}`
  const manifest = parseManifest(raw.bytes, raw.descriptor.mediaType, name)
  if (manifest.kind === 'index') {
    throw new RegctlError(`${name} is an index, which has no config`, {
      kind: 'usage',
      code: 'not-one-image',
      hint: 'Choose one of its images with `--platform`',
    })
  }
  const { config } = manifest
  return { descriptor: config, bytes: await readConfigBlob(source, config, context) }
}
