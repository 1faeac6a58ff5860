import { readdir, readFile } from 'node:fs/promises'
import type { LookupFunction } from 'node:net'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { createContext } from '../../src/content/context.js'
import { digestOf, hexOf } from '../../src/content/digest.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import type { Context, Store } from '../../src/content/store.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { parseLocator } from '../../src/open/location.js'
import { openImageFile } from '../../src/open/open-image-file.js'
import type { RegistryClient, RegistryClientOptions } from '../../src/registry/client.js'
import type { Repository } from '../../src/registry/repository.js'
import { ImageCopy } from '../../src/transfer/copy-image.js'
import { pull } from '../../src/transfer/pull.js'
import { planPull } from '../../src/transfer/pull-plan.js'
import { planPush, push } from '../../src/transfer/push.js'
import { Cleanup } from '../support/cleanup.js'
import {
  type FaultRule,
  type FaultyRegistry,
  type FaultyRegistryOptions,
  startFaultyRegistry,
} from '../support/faulty-registry.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { clientOf } from '../support/registry-fixtures.js'
import { temporaryFolder } from '../support/temporary-folder.js'

export type Verb = 'push' | 'pull' | 'copy'

/** What is moved here: an image of one layer, which is large enough to go up in chunks. */
export const IMAGE = await buildImage({ layers: [{ seed: 11, size: 400_000 }] })
/** For what only shows while a body is being sent. */
export const LARGE_IMAGE = await buildImage({ layers: [{ seed: 12, size: 12_000_000 }], compression: 'none' })

/** What a transfer came to. */
export interface Outcome {
  error: unknown
  /** Of each request to the registry that is pulled from, or pushed to. */
  lines: string[]
  /** The waits before further attempts, in milliseconds; nobody waited. */
  delays: number[]
  warnings: string[]
  /** The names in the target that are broken, or are there although the image is not. */
  broken: string[]
  /** Whether the image with everything in it is there under its tag. */
  isWhole: boolean
  source: FaultyRegistry | undefined
  target: FaultyRegistry | undefined
}

/** How a transfer is run. */
export interface TransferOptions {
  image?: BuiltImage
  registry?: FaultyRegistryOptions
  client?: Partial<RegistryClientOptions>
  /** What the registry is called; its address when not given. Every name leads to this machine. */
  name?: string
}

/** Moves the image from or to registries with these faults. */
export async function transfer(
  verb: Verb,
  rules: readonly FaultRule[],
  options: TransferOptions = {},
): Promise<Outcome> {
  await using cleanup = new Cleanup()
  const folder = cleanup.use(await temporaryFolder()).path
  const image = options.image ?? IMAGE
  const { client, context, delays, events } = clientFor(options.client)
  cleanup.use(client)
  const repositories = new MemoryCollection()
  const start = async (collection: MemoryCollection) =>
    cleanup.use(await startFaultyRegistry(rules, { ...options.registry, repositories: collection }))
  const source = verb === 'push' ? undefined : await start(await collectionOf(image))
  const target = verb === 'pull' ? undefined : await start(repositories)
  const nameOf = (registry: FaultyRegistry | undefined) => {
    const host = `${registry?.host}`
    return `${options.name === undefined ? host : host.replace('127.0.0.1', options.name)}/app:1`
  }
  const error = await run(verb, { folder, image, from: nameOf(source), to: nameOf(target), client, context })
  const found =
    verb === 'pull'
      ? await inspectLayout(join(folder, 'to'), image)
      : await inspectMemory(repositories, image)
  return {
    error,
    lines: [...(source?.lines ?? []), ...(target?.lines ?? [])],
    delays,
    warnings: events.flatMap(event => (event.type === 'warning' ? [event.message] : [])),
    ...found,
    source,
    target,
  }
}

/** Moves the image from or to a host that is no registry, and gives the error. */
export async function runAgainst(
  verb: Verb,
  host: string,
  clientOptions?: Partial<RegistryClientOptions>,
): Promise<unknown> {
  await using cleanup = new Cleanup()
  const folder = cleanup.use(await temporaryFolder()).path
  const { client, context } = clientFor(clientOptions)
  cleanup.use(client)
  const registry = cleanup.use(await startFaultyRegistry([], { repositories: await collectionOf(IMAGE) }))
  const [from, to] =
    verb === 'copy' ? [`${registry.host}/app:1`, `${host}/app:1`] : [`${host}/app:1`, `${host}/app:1`]
  const error = await run(verb, { folder, image: IMAGE, from, to, client, context })
  const { broken } = await inspectLayout(join(folder, 'to'), IMAGE)
  if (broken.length > 0) throw new Error(`it left ${broken}`)
  return error
}

/** Looks at a repository that has the image. */
export async function withRepository(
  rules: readonly FaultRule[],
  look: (
    repository: Repository,
    context: Context,
    registry: FaultyRegistry,
    warnings: () => string[],
  ) => Promise<void>,
): Promise<void> {
  await using registry = await startFaultyRegistry(rules, { repositories: await collectionOf(IMAGE) })
  const { client, context, events } = clientFor()
  await using _closed = client
  const warnings = () => events.flatMap(event => (event.type === 'warning' ? [event.message] : []))
  await look(client.repository(registry.host, 'app'), context, registry, warnings)
}

/** What a list has. */
export async function listOf<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = []
  for await (const item of items) list.push(item)
  return list
}

/** Names lead to this machine, and nobody waits before another attempt. */
function clientFor(options: Partial<RegistryClientOptions> = {}) {
  return clientOf({ stallTimeoutMs: 5000, lookup: toThisMachine, ...options })
}

interface Run {
  /** For layouts: what is pushed is in `from`, what is pulled in `to`. */
  folder: string
  image: BuiltImage
  from: string
  to: string
  client: RegistryClient
  context: Context
}

/** @returns the error; undefined when it succeeded */
async function run(verb: Verb, { folder, image, from, to, client, context }: Run): Promise<unknown> {
  if (verb === 'push') return await pushLayout(join(folder, 'from'), image, to, client, context)
  if (verb === 'pull') return await pullLayout(from, join(folder, 'to'), client, context)
  return await copyImage(from, to, client, context)
}

/** A registry's content: the image as `app:1`. */
export async function collectionOf(image: BuiltImage): Promise<MemoryCollection> {
  const collection = new MemoryCollection()
  const store = await collection.create('app')
  for (const descriptor of [image.config, ...image.layers]) {
    const open = async (from = 0) =>
      Readable.from([image.blobs.get(descriptor.digest)?.subarray(from)], { objectMode: false })
    await store.putBlob({ descriptor, origin: store, open }, createContext())
  }
  await store.putManifest(image.manifest, ['1'], createContext())
  return collection
}

async function pushLayout(
  folder: string,
  image: BuiltImage,
  to: string,
  client: RegistryClient,
  context: Context,
): Promise<unknown> {
  await writeLayout(folder, [{ manifest: image.manifest, tag: '1' }], image.blobs)
  await using file = await openImageFile({ kind: 'file', path: folder }, context, {
    stdin: Readable.from([]),
  })
  const [result] = await push(planPush(file, [to], {}).push, client, context)
  return result?.error
}

async function pullLayout(from: string, folder: string, client: RegistryClient, context: Context) {
  try {
    const plan = await planPull([from], { output: folder, format: 'oci' })
    const [result] = await pull(plan, client, context, { stdout: new PassThrough() })
    return result?.error
  } catch (error) {
    return error
  }
}

async function copyImage(from: string, to: string, client: RegistryClient, context: Context) {
  try {
    const options = { client, stdin: Readable.from([]), stdout: new PassThrough() }
    const ends = [await parseLocator(from, 'registry'), await parseLocator(to, 'registry')] as const
    await using copying = await ImageCopy.open(ends[0], [ends[1]], context, options)
    const [result] = await copying.run()
    return result?.error
  } catch (error) {
    return error
  }
}

type Found = Pick<Outcome, 'broken' | 'isWhole'>

async function inspectMemory(repositories: MemoryCollection, image: BuiltImage): Promise<Found> {
  const store = await repositories.find('app')
  if (store === undefined) return { broken: [], isWhole: false }
  const isWhole = await isWholeIn(store, image)
  const tags: string[] = []
  for await (const tag of store.listTags(createContext())) tags.push(tag)
  return { isWhole, broken: isWhole ? [] : tags }
}

async function inspectLayout(folder: string, image: BuiltImage): Promise<Found> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const broken: string[] = []
  for (const entry of names.filter(entry => entry.isFile())) {
    const bytes = await readFile(join(entry.parentPath, entry.name))
    const isBlob = entry.parentPath.endsWith(join('blobs', 'sha256'))
    const isRight = isBlob
      ? entry.name === hexOf(digestOf(bytes))
      : ['index.json', 'oci-layout'].includes(entry.name)
    if (!isRight) broken.push(entry.name)
  }
  if (!names.some(({ name }) => name === 'index.json')) return { broken, isWhole: false }
  await using store = await LayoutStore.open(folder)
  const isWhole = await isWholeIn(store, image)
  for await (const tag of store.listTags(createContext())) if (!isWhole) broken.push(tag)
  return { broken, isWhole }
}

/** Whether a store has the image under its tag, byte for byte. */
async function isWholeIn(store: Store, image: BuiltImage): Promise<boolean> {
  const context = createContext()
  const found = await store.statManifest('1', context)
  if (found?.digest !== image.manifest.descriptor.digest) return false
  for (const descriptor of [image.config, ...image.layers]) {
    if (!(await store.hasBlob(descriptor, context))) return false
    const chunks: Buffer[] = []
    for await (const chunk of await store.openBlob(descriptor, context)) chunks.push(chunk as Buffer)
    if (digestOf(Buffer.concat(chunks)) !== descriptor.digest) return false
  }
  return true
}

const toThisMachine: LookupFunction = (_hostname, options, answer) => {
  if (options.all === true) answer(null, [{ address: '127.0.0.1', family: 4 }])
  else answer(null, '127.0.0.1', 4)
}
