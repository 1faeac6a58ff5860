import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest, hexOf } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import type { Context, Source } from '../content/store.js'
import { DockerArchiveError } from './docker-archive-error.js'

/** An image that is to be in a docker-archive. */
interface ArchivedImage {
  descriptor: Descriptor
  /** Undefined for an image without a name. */
  tag: string | undefined
}

/**
 * Makes the `manifest.json` that lets `docker load` of every version read an OCI layout (rule R189): its config and layers
 * are the layout's blobs.
 *
 * @param repository the full name that the tags belong to (`docker.io/acme/app`)
 * @throws DockerArchiveError `not-one-image` for an index, which `docker load` can't take
 */
export async function writeManifestJson(
  layout: Source,
  images: readonly ArchivedImage[],
  repository: string,
  context: Context,
): Promise<Buffer> {
  const entries = new Map<Digest, { Config: string; RepoTags: string[]; Layers: string[] }>()
  for (const { descriptor, tag } of images) {
    const entry = entries.get(descriptor.digest) ?? (await describeImage(layout, descriptor, context))
    if (tag !== undefined) entry.RepoTags.push(`${repository}:${tag}`)
    entries.set(descriptor.digest, entry)
  }
  return Buffer.from(JSON.stringify([...entries.values()]))
}

async function describeImage(layout: Source, { digest }: Descriptor, context: Context) {
  const raw = await layout.getManifest(digest, context)
  const manifest = parseManifest(raw.bytes, raw.descriptor.mediaType, `manifest ${digest}`)
  if (manifest.kind === 'index') {
    throw new DockerArchiveError(`${digest} is an index, and a docker-archive holds single images`, {
      kind: 'usage',
      code: 'not-one-image',
      hint: 'Choose one with `--platform`, or write an OCI archive with `--format oci-archive`',
    })
  }
  return { Config: pathOf(manifest.config), RepoTags: [] as string[], Layers: manifest.layers.map(pathOf) }
}

function pathOf({ digest }: Descriptor): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`
}
