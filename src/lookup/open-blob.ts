import type { Readable } from 'node:stream'
import type { Digest } from '../content/digest.js'
import type { Context, Source } from '../content/store.js'
import { verifyStream } from '../content/verify.js'
import { type LocalLocator, LocationError, type Locator } from '../open/location.js'
import { openImageFile } from '../open/open-image-file.js'
import { labelOf } from '../open/open-source.js'
import type { RegistryClient } from '../registry/client.js'

/** One blob that was found. Disposing closes the file that it is in. */
export interface OpenedBlob extends AsyncDisposable {
  digest: Digest
  /** In bytes. */
  size: number
  /** Opens the bytes, verified: the stream fails before its end if they are not the digest's. The caller consumes or destroys it. */
  open(): Promise<Readable>
}

/**
 * Finds a blob of a repository, or of a local file or folder, by its digest.
 *
 * @throws LocationError `no-such-blob` of kind `not-found`; what the place throws
 * @example
 * await using blob = await openBlobOf(locator, digest, context, { client, stdin: process.stdin })
 * await writeOutput('layer.tar.gz', () => blob.open(), context.signal)
 */
export async function openBlobOf(
  locator: Locator,
  digest: Digest,
  context: Context,
  { client, stdin }: { client: RegistryClient; stdin: Readable },
): Promise<OpenedBlob> {
  if (locator.kind === 'registry') {
    const { registry, repository } = locator.reference
    const source = client.repository(registry, repository, { mirrors: true })
    return await findBlob([source], locator, digest, context, async () => {})
  }
  const file = await openImageFile(locator as LocalLocator, context, { stdin })
  try {
    const sources = [...new Set(file.images.map(image => image.source))]
    return await findBlob(sources, locator, digest, context, async () => {
      await file[Symbol.asyncDispose]()
    })
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}

async function findBlob(
  sources: readonly Source[],
  locator: Locator,
  digest: Digest,
  context: Context,
  dispose: () => Promise<void>,
): Promise<OpenedBlob> {
  for (const source of sources) {
    const size = await source.statBlob?.(digest, context)
    if (size === undefined) continue
    const descriptor = { mediaType: '', digest, size }
    const open = async () =>
      verifyStream(
        await source.openBlob(descriptor, context),
        descriptor,
        `blob ${digest} of ${source.label}`,
      )
    return { digest, size, open, [Symbol.asyncDispose]: dispose }
  }
  throw new LocationError(`there is no blob ${digest} in ${labelOf(locator)}`, {
    kind: 'not-found',
    code: 'no-such-blob',
    hint: 'Configs and layers are blobs; `regctl manifest` shows which there are, and gives manifests themselves',
  })
}
