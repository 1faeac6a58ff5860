import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, hexOf } from '../content/digest.js'
import { type ImageManifest, parseManifest } from '../content/manifest.js'
import { isForeignLayerType, isImageConfigType } from '../content/media-types.js'
import { printable } from '../content/printable.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { DockerArchiveError } from './docker-archive-error.js'

/** An image that is to be in a docker-archive. */
interface ArchivedImage {
  descriptor: Descriptor
  /** In full (`docker.io/acme/app:1.0`); undefined for an image without a name. */
  reference: string | undefined
}

/**
 * Makes the `manifest.json` that lets `docker load` of every version read an OCI layout (rule R189): its config and layers
 * are the layout's blobs, and its names are full references, which every version takes.
 *
 * @throws DockerArchiveError `not-one-image` for an index, which `docker load` can't take; `not-an-image` for an artifact;
 * `foreign-layer` for an image with a layer that is not in the layout, since it may not be distributed (rule R172)
 */
export async function writeManifestJson(
  layout: Source,
  images: readonly ArchivedImage[],
  context: Context,
): Promise<Buffer> {
  const entries = new Map<Digest, { Config: string; RepoTags: string[]; Layers: string[] }>()
  for (const { descriptor, reference } of images) {
    const entry = entries.get(descriptor.digest) ?? (await describeImage(layout, descriptor, context))
    if (reference !== undefined) entry.RepoTags.push(reference)
    entries.set(descriptor.digest, entry)
  }
  return Buffer.from(JSON.stringify([...entries.values()]))
}

async function describeImage(layout: Source, { digest }: Descriptor, context: Context) {
  const manifest = checkArchivable(await layout.getManifest(digest, context))
  return { Config: pathOf(manifest.config), RepoTags: [] as string[], Layers: manifest.layers.map(pathOf) }
}

/**
 * Checks that a docker-archive can hold an image, before anything of it is read.
 *
 * @throws DockerArchiveError as {@link writeManifestJson}
 */
export function checkArchivable({ descriptor: { digest, mediaType }, bytes }: RawManifest): ImageManifest {
  const manifest = parseManifest(bytes, mediaType, `manifest ${digest}`)
  if (manifest.kind === 'index') {
    throw new DockerArchiveError(`${digest} is an index, and a docker-archive holds single images`, {
      kind: 'usage',
      code: 'not-one-image',
      hint: 'Choose one with `--platform`, or write an OCI archive with `--format oci-archive`',
    })
  }
  if (!isImageConfigType(manifest.config.mediaType)) {
    throw new DockerArchiveError(
      `${digest} is no container image: its config is ${printable(manifest.config.mediaType)}, which a docker-archive can't hold`,
      {
        kind: 'failed',
        code: 'not-an-image',
        hint: 'Write an OCI archive, which holds artifacts of any kind: `--format oci-archive`',
      },
    )
  }
  const foreign = manifest.layers.find(layer => isForeignLayerType(layer.mediaType))
  if (foreign === undefined) return manifest
  throw new DockerArchiveError(
    `${digest} has the foreign layer ${foreign.digest}, which may not be distributed, and a docker-archive needs every layer`,
    {
      kind: 'failed',
      code: 'foreign-layer',
      hint: 'Write an OCI archive, which does without it: `--format oci-archive`',
    },
  )
}

function pathOf({ digest }: Descriptor): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}
