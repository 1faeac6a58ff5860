import { Readable } from 'node:stream'
import { createContext } from '../../src/content/context.js'
import { isDigest } from '../../src/content/digest.js'
import type { ImageEntry } from '../../src/content/image-file.js'
import { parseManifest } from '../../src/content/manifest.js'
import { anonymous } from '../../src/credentials/credential-store.js'
import { type FileFormat, parseLocator } from '../../src/open/location.js'
import { openImageFile } from '../../src/open/open-image-file.js'
import { RegistryClient } from '../../src/registry/client.js'
import { pull } from '../../src/transfer/pull.js'
import { planPull } from '../../src/transfer/pull-plan.js'
import { type PushResult, push } from '../../src/transfer/push.js'

/** One image of a file after its push. */
export interface PushedImage {
  image: ImageEntry
  result: PushResult
}

/** A client for registries without passwords, which gives up soon. */
export function testClient(): RegistryClient {
  return new RegistryClient({ credentials: anonymous, retry: { sleep: async () => {} } })
}

/**
 * Pushes every image of a file, each to an empty repository of its own: blobs that are there already would hide faults.
 *
 * @throws RegctlError when the file can't be opened or an image can't be read
 */
export async function pushEach(
  client: RegistryClient,
  host: string,
  path: string,
  repository: string,
  options: { trustConfig?: boolean } = {},
): Promise<{ format: string; pushed: PushedImage[] }> {
  const context = createContext({ signal: AbortSignal.timeout(60_000) })
  const locator = await parseLocator(path, 'file')
  if (locator.kind === 'registry') throw new Error(`${path} is no file`)
  await using file = await openImageFile(locator, context, { stdin: Readable.from([]), ...options })
  const pushed: PushedImage[] = []
  for (const [position, image] of file.images.entries()) {
    const name = `${repository}/${position}`
    const target = { repository: `${host}/${name}`, registry: host, name, tags: ['latest'] }
    const [result] = await push({ image, targets: [target] }, client, context)
    if (result !== undefined) pushed.push({ image, result })
  }
  return { format: file.format, pushed }
}

/** What {@link pullTo} writes. */
export interface PulledForm {
  format: FileFormat
  uncompressed?: boolean
}

/**
 * Pulls images into a file or folder, as `regctl pull` does.
 *
 * @throws RegctlError when one of them can't be pulled
 */
export async function pullTo(
  client: RegistryClient,
  references: readonly string[],
  path: string,
  { format, uncompressed = false }: PulledForm,
): Promise<void> {
  const context = createContext({ signal: AbortSignal.timeout(60_000) })
  const plan = await planPull(references, { output: path, format })
  const images = await pull(plan, client, context, { stdout: process.stdout, uncompressed })
  for (const { error } of images) if (error !== undefined) throw error
}

/** What a registry has under a repository's tag: the digest, and the image ID if it is one image. */
export async function readBack(client: RegistryClient, host: string, name: string) {
  const context = createContext()
  const raw = await client.repository(host, name).getManifest('latest', context)
  const manifest = parseManifest(raw.bytes, raw.descriptor.mediaType, name)
  return {
    digest: raw.descriptor.digest,
    config: manifest.kind === 'image' ? manifest.config.digest : undefined,
  }
}

/** Whether nothing was left: no tag, and no manifest with the digest that the file names. */
export async function isEmpty(client: RegistryClient, host: string, name: string): Promise<boolean> {
  return (await client.repository(host, name).statManifest('latest', createContext())) === undefined
}

/** The repository for an image of the collection: its name with everything else replaced. */
export function repositoryFor(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
}

/** Whether an expected value is a digest that must arrive. */
export function digestsOf(values: readonly unknown[]): string[] {
  return values.filter(value => typeof value === 'string' && isDigest(value)) as string[]
}
