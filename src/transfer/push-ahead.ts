import type { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import { createContext } from '../content/context.js'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { CONFIG_LIMIT_BYTES, isObject, parseJson } from '../content/manifest.js'
import { MediaType } from '../content/media-types.js'
import type { ArrivedFile, SpooledBytes } from '../content/spooled-file.js'
import type { Context, RawManifest, Sink, Source } from '../content/store.js'
import { BlobLimit } from '../copy/blob-limit.js'
import { type AheadBlobs, transferBlob } from '../copy/transfer.js'
import { RegctlError } from '../errors.js'

/** Where layers are sent ahead to. */
interface AheadTarget {
  readonly sink: Sink
  readonly limit: BlobLimit
  readonly blobs: Map<Digest, Promise<'copied' | 'mounted' | 'exists'>>
  /** The first thing that went wrong there; nothing more is begun then (rule R253). */
  failure?: { error: unknown }
}

/**
 * Sends the layers of a docker-archive that comes through a pipe while the rest of it still comes: its list of layers comes
 * last (rule R187), and what would wait for it is sent when all is compressed and nothing else is left to do.
 *
 * Each is stored as soon as it is complete, since not every registry takes the bytes of an upload that is to be ended later
 * (rules R51 to R54). So it is for an archive of one image, all of whose layers are wanted: once there is a config, only its
 * layers are sent, and with a second one nothing more. What turned out not to be wanted lies in the registry with no
 * manifest that names it, as the layers of a push that broke off do.
 */
export class PushAhead implements AsyncDisposable {
  readonly #source: ArrivedLayers
  readonly #targets: readonly AheadTarget[]
  readonly #stop = new AbortController()
  readonly #context: Context
  /** The diffIDs of the image, once its config has come. */
  #image: { config: Digest; diffIDs: ReadonlySet<unknown> } | undefined
  #isOver = false

  /**
   * @param sinks that blobs can be put into already; each gets every layer
   * @param label of the archive, for messages
   * @param jobs how many large blobs travel to one sink at once
   */
  constructor(sinks: readonly Sink[], label: string, outer: Context, jobs: number) {
    this.#source = new ArrivedLayers(label)
    this.#targets = sinks.map(sink => ({ sink, limit: new BlobLimit(sink, jobs), blobs: new Map() }))
    const signal = AbortSignal.any([outer.signal, this.#stop.signal])
    this.#context = createContext({ signal, emit: event => outer.emit(event) })
  }

  /** Takes a file that has come. It returns before what it begins has ended. */
  readonly arrived = async (file: ArrivedFile): Promise<void> => {
    if (this.#isOver) return
    if (file.gzip === undefined) await this.#lookAt(file)
    else if (this.#image?.diffIDs.has(file.digest) !== false) this.#send(file.gzip)
  }

  /** What is on its way to a sink, by its label; undefined when that is none of those that layers are sent to. */
  blobsTo(label: string): AheadBlobs | undefined {
    return this.#targets.find(({ sink }) => sink.label === label)?.blobs
  }

  /** Ends what is still on its way. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.allSettled(this.#targets.flatMap(({ blobs }) => [...blobs.values()]))
  }

  async #lookAt(file: ArrivedFile): Promise<void> {
    if (file.size > CONFIG_LIMIT_BYTES || this.#image?.config === file.digest) return
    const diffIDs = diffIDsOf(await file.read())
    if (diffIDs === undefined) return
    this.#isOver = this.#image !== undefined
    this.#image = { config: file.digest, diffIDs: new Set(diffIDs) }
  }

  #send(layer: SpooledBytes): void {
    const descriptor = { mediaType: MediaType.dockerLayer, digest: layer.digest, size: layer.size }
    this.#source.add(layer)
    for (const target of this.#targets) {
      if (target.failure !== undefined || target.blobs.has(layer.digest)) continue
      const sent = target.limit.run(descriptor, async () => {
        if (target.failure !== undefined) throw target.failure.error
        this.#context.signal.throwIfAborted()
        return await transferBlob(this.#source, target.sink, descriptor, this.#context)
      })
      sent.catch(error => {
        target.failure ??= { error }
      })
      target.blobs.set(layer.digest, sent)
    }
  }
}

/** The diffIDs of an image's config; undefined for anything else. */
function diffIDsOf(bytes: Uint8Array): readonly unknown[] | undefined {
  if (!Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).includes('"diff_ids"')) return undefined
  try {
    const config = parseJson(bytes, 'a config')
    const rootfs = isObject(config) ? config.rootfs : undefined
    const diffIDs = isObject(rootfs) ? rootfs.diff_ids : undefined
    return Array.isArray(diffIDs) ? diffIDs : undefined
  } catch {
    return undefined
  }
}

/** The layers that have come. They were hashed on their way into the spool. */
class ArrivedLayers implements Source {
  readonly label: string
  readonly #layers = new Map<Digest, SpooledBytes>()

  constructor(label: string) {
    this.label = label
  }

  add(layer: SpooledBytes): void {
    this.#layers.set(layer.digest, layer)
  }

  async openBlob({ digest }: Descriptor, _context: Context, from?: number): Promise<Readable> {
    return await this.#find(digest).open(from)
  }

  blobChunks({ digest }: Descriptor, _context: Context, from?: number): Chunks {
    return this.#find(digest).chunksFrom(from)
  }

  hasVerified(): boolean {
    return true
  }

  async getManifest(tagOrDigest: string): Promise<RawManifest> {
    throw this.#missing(tagOrDigest)
  }

  async listReferrers(): Promise<Descriptor[]> {
    return []
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  #find(digest: Digest): SpooledBytes {
    const layer = this.#layers.get(digest)
    if (layer === undefined) throw this.#missing(digest)
    return layer
  }

  #missing(what: string): RegctlError {
    const message = `${what} of ${this.label} has not come yet`
    return new RegctlError(message, { kind: 'not-found', code: 'not-arrived' })
  }
}
