import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import { digestOf } from '../content/digest.js'
import { rawManifest } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { BlobContent, Context, RawManifest, Store } from '../content/store.js'
import { Deadline } from '../deadline.js'
import { messageOf, RegctlError } from '../errors.js'

const RESTORE_TIMEOUT_MS = 10_000

/** An image like no other, made to be deleted. */
interface Dummy {
  manifest: RawManifest
  config: BlobContent
}

/**
 * Deletes a tag where only digests can be deleted (rule R87): the tag is put on an image made for this alone, which is
 * then deleted by its digest. First that image is deleted once without any tag, so that a registry that deletes nothing
 * is found out while the tag is untouched. What goes wrong after that puts the tag back.
 *
 * @param image what the tag stands for, which stays
 * @throws RegctlError `tag-moved` when somebody else moved the tag meanwhile; what the store throws
 */
export async function deleteTagByReplacing(
  store: Store,
  tag: string,
  image: RawManifest,
  context: Context,
): Promise<void> {
  const { manifest, config } = makeDummy(store, image.descriptor.mediaType)
  const { digest } = manifest.descriptor
  try {
    await store.putBlob(config, context)
    await store.putManifest(manifest, [], context)
    await store.deleteManifest(digest, context)
    await refuseMoved(store, tag, image.descriptor, context)
    await store.putManifest(manifest, [tag], context)
    try {
      await store.deleteManifest(digest, context)
      await checkDeleted(store, tag, context)
    } catch (error) {
      // Also when the work was interrupted: the tag must not stay where it is.
      using deadline = new Deadline(RESTORE_TIMEOUT_MS)
      await store.putManifest(image, [tag], createContext({ signal: deadline.signal }))
      throw error
    }
    await keepImage(store, image, context)
  } finally {
    await removeConfig(store, config.descriptor, context)
  }
}

/** Its media types are those of the image it stands in for, which the registry is known to take. */
function makeDummy(store: Store, like: string): Dummy {
  const isDocker = like === MediaType.dockerManifest || like === MediaType.dockerManifestList
  const document = {
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { 'regctl.delete': randomUUID() } },
    rootfs: { type: 'layers', diff_ids: [] },
  }
  const bytes = Buffer.from(JSON.stringify(document))
  const descriptor = {
    mediaType: isDocker ? MediaType.dockerConfig : MediaType.ociConfig,
    digest: digestOf(bytes),
    size: bytes.length,
  }
  const mediaType = isDocker ? MediaType.dockerManifest : MediaType.ociManifest
  const manifest = { schemaVersion: 2, mediaType, config: descriptor, layers: [] }
  return {
    manifest: rawManifest(mediaType, Buffer.from(JSON.stringify(manifest))),
    config: { descriptor, origin: store, open: async from => Readable.from([bytes.subarray(from ?? 0)]) },
  }
}

async function refuseMoved(store: Store, tag: string, image: Descriptor, context: Context): Promise<void> {
  const found = await store.statManifest(tag, context)
  if (found?.digest === image.digest) return
  throw new RegctlError(`${store.label}:${tag} was moved by somebody else: it is left as it is`, {
    kind: 'failed',
    code: 'tag-moved',
  })
}

async function checkDeleted(store: Store, tag: string, context: Context): Promise<void> {
  if ((await store.statManifest(tag, context)) === undefined) return
  throw new RegctlError(
    `${store.label} keeps the tag ${tag} although the image that it was put on is deleted`,
    {
      kind: 'failed',
      code: 'tag-stays',
      hint: 'Ask whoever runs the registry how tags are deleted there',
    },
  )
}

/** Some registries drop an image with its last tag, and this was about the tag alone. */
async function keepImage(store: Store, image: RawManifest, context: Context): Promise<void> {
  const { digest } = image.descriptor
  if (await store.hasManifest(digest, context)) return
  await store.putManifest(image, [], context)
  context.emit({
    type: 'warning',
    message: `${store.label} dropped ${digest} with the tag; it was put again`,
  })
}

/** Nothing else can name this config. Where it can't be deleted, it is a few bytes that stay. */
async function removeConfig(store: Store, { digest }: Descriptor, context: Context): Promise<void> {
  try {
    await store.deleteBlob(digest, context)
  } catch (error) {
    if (context.signal.aborted) return
    context.emit({
      type: 'warning',
      message: `${store.label} keeps ${digest}, a config: ${messageOf(error)}`,
    })
  }
}
