import { join } from 'node:path'
import { digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { encodeHeaders, type HeaderFields, paddingOf } from '../../src/tar/header-encode.js'
import { type BuiltImage, configBytes, writeLayout } from './image-builder.js'

/** One member of a tar with any header, its name taken as it is. */
export function member(
  name: string,
  fields: Partial<HeaderFields> & { body?: string | Buffer } = {},
): Buffer {
  const { body = '', ...header } = fields
  const bytes = Buffer.from(body)
  const size = bytes.length
  return Buffer.concat([
    encodeHeaders({ type: '0', mode: 0o644, ...header, name, size }),
    bytes,
    paddingOf(size),
  ])
}

/** A folder. */
export function folder(name: string, fields: Partial<HeaderFields> = {}): Buffer {
  return member(name, { type: '5', mode: 0o755, ...fields })
}

/** A symlink. */
export function symlink(name: string, linkName: string): Buffer {
  return member(name, { type: '2', mode: 0o777, linkName })
}

/** A hard link; `mode` should be that of its target. */
export function hardLink(name: string, linkName: string, mode = 0o644): Buffer {
  return member(name, { type: '1', linkName, mode })
}

/** A whole tar of members. */
export function tarOf(...members: Buffer[]): Buffer {
  return Buffer.concat([...members, Buffer.alloc(1024)])
}

/** An image whose layers are these very bytes; `diffIDs` replaces what the config says of them. */
export function imageOf(layers: readonly Buffer[], options: { diffIDs?: Buffer[] } = {}): BuiltImage {
  const diffIDs = (options.diffIDs ?? layers).map(layer => digestOf(layer))
  const configured = configBytes(diffIDs)
  const describe = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: digestOf(bytes),
    size: bytes.length,
  })
  const config = describe(MediaType.ociConfig, configured)
  const descriptors = layers.map(layer => describe(MediaType.ociLayer, layer))
  const manifest = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config,
    layers: descriptors,
  }
  return {
    manifest: rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(manifest))),
    config,
    layers: descriptors,
    diffIDs,
    blobs: new Map([configured, ...layers].map(bytes => [digestOf(bytes), bytes])),
  }
}

/** Writes {@link imageOf} as a layout. */
export async function writeRawImage(parent: string, name: string, layers: readonly Buffer[]): Promise<void> {
  const { manifest, blobs } = imageOf(layers)
  await writeLayout(join(parent, name), [{ manifest, tag: '1' }], blobs)
}
