import { Readable } from 'node:stream'
import type { Descriptor } from '../content/descriptor.js'
import type { Context } from '../content/store.js'
import { sizeMismatch } from '../content/verify.js'
import { InterruptedError, RegctlError, systemCodeOf } from '../errors.js'
import type { RepositoryAccess } from './access.js'
import { type BlobBody, openBlobRange } from './blob-body.js'
import { BlobDoubts } from './blob-doubts.js'
import { DownloadLine } from './download-line.js'
import { openBlobAnywhere } from './foreign-layer.js'
import { explainNetworkError } from './network-error.js'
import { PARALLEL_FROM_BYTES, ParallelDownload } from './parallel-download.js'
import { RegistryError } from './registry-error.js'
import type { ResponseBody } from './response-body.js'

/** After so many breaks without a byte in between, a download fails (rule R245). */
const MAXIMUM_BREAKS = 5

/**
 * Opens a blob from a byte offset on. When it breaks off, the rest is asked for at the registry and it goes on
 * where it stopped (rules R34, R245, R249). A large one may come over several connections, see {@link ParallelDownload}.
 *
 * @param doubts what is known of blobs whose bytes were wrong
 * @returns the bytes as they come, not verified; the caller destroys them when it stops early
 * @throws RegistryError `not-found` or `denied`; while they are read `broken-download` of kind `network`
 */
export async function readBlob(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  from: number,
  doubts = new BlobDoubts(),
): Promise<ResponseBody> {
  const download = new Download(repository, descriptor, context, from, doubts)
  await download.open()
  return download
}

/** A download under way, over as many requests as it takes. */
class Download implements ResponseBody {
  readonly #operation: string
  #offset: number
  #opened: BlobBody = { chunks: Readable.from([]), isEncoded: false, givesRanges: false }
  #breaks = 0
  /** Undefined while one connection does. */
  #parallel: ParallelDownload | undefined
  /** Several connections were tried, to no good end. */
  #isNarrowed = false
  #isClosed = false

  constructor(
    private readonly repository: RepositoryAccess,
    private readonly descriptor: Descriptor,
    private readonly context: Context,
    from: number,
    private readonly doubts: BlobDoubts,
  ) {
    this.#offset = from
    this.#operation = `pull of blob ${descriptor.digest} from ${repository.label}`
  }

  /** Asks for what is still missing. */
  async open(): Promise<void> {
    const { repository, descriptor, context, doubts } = this
    const asked = { from: this.#offset, decode: doubts.isDecoded(descriptor.digest) }
    this.#opened = await openBlobAnywhere(repository, descriptor, context, asked)
    if (this.#isClosed) this.#opened.chunks.destroy()
    if (this.#opened.isEncoded) doubts.noteEncoded(descriptor.digest)
  }

  destroy(error?: Error): void {
    this.#isClosed = true
    this.#parallel?.close()
    this.#opened.chunks.destroy(error)
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer, undefined> {
    try {
      yield* this.#read()
    } finally {
      this.destroy()
    }
  }

  async *#read(): AsyncGenerator<Buffer> {
    let chunks = this.#chunks()
    for (;;) {
      // A yield within the try would take an error of the reader, thrown in here, for a break of the connection.
      const { chunk, cause } = await nextOf(chunks)
      if (chunk !== undefined) {
        this.#offset += chunk.length
        this.#breaks = 0
        DownloadLine.ofProcess.receivedBytes += chunk.length
        yield chunk
        continue
      }
      if (cause === undefined && this.#offset >= this.descriptor.size) return
      if (cause === undefined && this.#parallel?.isNarrowed === true) await this.open()
      else if (this.#isClosed) throw cause ?? new Error('the download was ended')
      else await this.#recover(cause)
      chunks = this.#chunks()
    }
  }

  #chunks(): AsyncIterator<Buffer> {
    this.#isNarrowed ||= this.#parallel?.isNarrowed === true
    this.#parallel?.close()
    this.#parallel = this.#isNarrowed ? undefined : this.#inParallel()
    const { chunks } = this.#opened
    return this.#parallel?.read(chunks, this.#offset) ?? chunks[Symbol.asyncIterator]()
  }

  /** Undefined where one connection has to do. */
  #inParallel(): ParallelDownload | undefined {
    const { repository, descriptor, context, doubts } = this
    const { digest, size } = descriptor
    const isLarge = size - this.#offset >= PARALLEL_FROM_BYTES
    if (!isLarge || this.#opened.givesRanges !== true || !doubts.isTrusted(digest)) return undefined
    const open = async (from: number, to: number, isLast: boolean) => {
      doubts.notePieced(digest)
      return await openBlobRange(repository, descriptor, context, {
        from,
        to,
        attempts: isLast ? undefined : 1,
      })
    }
    return new ParallelDownload(open, size)
  }

  /** Opens the rest after a break, unless it is of no use. */
  async #recover(cause: unknown): Promise<void> {
    const { repository, descriptor, context, doubts } = this
    if (context.signal.aborted) throw new InterruptedError(`${this.#operation} was interrupted`, cause)
    // What was begun in case it is needed may be on its way when all is done.
    if (cause instanceof RegctlError || systemCodeOf(cause) === 'HTTP_DISPOSED') throw cause
    const isDamaged = systemCodeOf(cause)?.startsWith('Z_') === true
    // What is said to be compressed once more, and has ended well, is shorter than the blob because it is (rule R13).
    if (isDamaged || (cause === undefined && this.#opened.isEncoded === true)) {
      const what = `blob ${descriptor.digest} of ${repository.label}`
      throw sizeMismatch(what, descriptor.size, `${this.#offset}`)
    }
    this.#breaks++
    const url = new URL((await repository.client.endpointOf(repository.registry, context)).base)
    url.pathname = `/v2/${repository.name}/blobs/${descriptor.digest}`
    const { text } = explainNetworkError(cause ?? new Error('terminated'), url)
    const why = `${text.replace(/^failed: /, '')} at byte ${this.#offset} of ${descriptor.size}`
    if (this.#breaks >= MAXIMUM_BREAKS) throw this.#failure(url, why, cause)
    const { retrier } = repository.client
    const delayMs = this.#breaks === 1 ? 0 : retrier.backoff(this.#breaks)
    await retrier.pause({ operation: this.#operation, context }, this.#breaks, { cause: why, delayMs })
    doubts.notePieced(descriptor.digest)
    await this.open()
  }

  #failure(url: URL, why: string, cause: unknown): RegistryError {
    return new RegistryError(this.#operation, {
      kind: 'network',
      code: 'broken-download',
      method: 'GET',
      url,
      outcome: `broke off: ${why}`,
      attempts: this.#breaks,
      cause,
    })
  }
}

/** The next chunk, or why there is none; neither at the end. */
async function nextOf(chunks: AsyncIterator<Buffer>): Promise<{ chunk?: Buffer; cause?: unknown }> {
  try {
    const { done, value } = await chunks.next()
    return done === true ? {} : { chunk: value }
  } catch (cause) {
    return { cause }
  }
}
