import { type FileHandle, link, lstat, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { type Chunks, chunksOf } from '../content/chunks.js'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../content/digest.js'
import type { BlobContent, Context } from '../content/store.js'
import { type Expected, sizeMismatch, verifyBytes } from '../content/verify.js'
import { systemCodeOf } from '../errors.js'
import type { Arrivals } from '../files/arrivals.js'
import { openRegular, syncFolder, uniqueName, writeNew } from '../files/atomic-file.js'
import { DiskRate } from '../files/disk-rate.js'
import { makeFolder } from '../files/make-folder.js'
import { type FileContent, PARTIAL_PREFIX, tidyPartialFiles, writeResumable } from '../files/partial-file.js'
import { rangeAccess } from '../tar/range-stream.js'
import { LayoutError } from './layout-error.js'
import { blobPath } from './layout-format.js'

/** How much of a blob a stream reads at once. */
const READ_BYTES = 256 * 1024

/** How a {@link BlobFolder} writes. */
export interface BlobFolderOptions {
  /**
   * Where blobs are while they are incomplete, on the same file system; made when it is absent. Default: beside `blobs`,
   * where no reader of layouts looks.
   */
  incompleteFolder?: string | undefined
  /** Is told of blobs as they come. */
  arrivals?: Arrivals | undefined
  /**
   * Whether a blob is on the disk before it has its name. Without it a blob is whole whatever becomes of the process, but may
   * be damaged when the power fails soon after: large ones are written much sooner. Default: true.
   */
  durable?: boolean
  /** See `WriteOptions` of files/partial-file.ts. */
  hashThread?: boolean | undefined
}

/**
 * The `blobs` of a layout in a folder. A blob appears under its name only after all its bytes were there, with the
 * right digest; and on the disk, where that is wanted. Paths are made of digests alone, and no link is followed (rule R224).
 */
export class BlobFolder {
  readonly #folder: string
  readonly #incompleteFolder: string
  readonly #durable: boolean
  readonly #arrivals: Arrivals | undefined
  readonly #hashThread: boolean | undefined
  readonly #rate = new DiskRate()
  readonly #algorithms = new Map<DigestAlgorithm, Promise<void>>()
  /** The folders that hold new names since they were last made durable. */
  readonly #unsynced = new Set<string>()
  #syncing: Promise<void> = Promise.resolve()

  constructor(
    folder: string,
    { incompleteFolder = folder, durable = true, arrivals, hashThread }: BlobFolderOptions = {},
  ) {
    this.#folder = folder
    this.#incompleteFolder = incompleteFolder
    this.#durable = durable
    this.#arrivals = arrivals
    this.#hashThread = hashThread
  }

  /** The size of a blob in bytes; undefined when it is not there. */
  async stat(digest: Digest): Promise<number | undefined> {
    try {
      const found = await lstat(this.#path(digest))
      return found.isFile() ? found.size : undefined
    } catch (error) {
      const code = systemCodeOf(error)
      if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
      throw error
    }
  }

  /**
   * Opens a blob; the stream is not verified.
   *
   * @param label of the layout, for messages
   * @throws LayoutError `missing-blob`; ContentError `size-mismatch` when the file has another size
   */
  async stream(expected: Expected, label: string, from: number): Promise<Readable> {
    const file = await this.#open(expected, label)
    return file.createReadStream({ start: from, highWaterMark: READ_BYTES })
  }

  /** The same, chunk by chunk. */
  async *chunks(expected: Expected, label: string, from: number): Chunks {
    const file = await this.#open(expected, label)
    try {
      const what = `blob ${expected.digest} in ${label}`
      yield* chunksOf(rangeAccess(file, 0, expected.size, what), from)
    } finally {
      await file.close()
    }
  }

  async #open({ digest, size }: Expected, label: string): Promise<FileHandle> {
    const found = await this.stat(digest)
    if (found !== undefined && found !== size)
      throw sizeMismatch(`blob ${digest} in ${label}`, size, `${found}`)
    await this.#checkFolders(algorithmOf(digest))
    const file = await openRegular(this.#path(digest))
    if (file === undefined) {
      throw new LayoutError(`${label} has no blob ${digest}`, { kind: 'not-found', code: 'missing-blob' })
    }
    return file
  }

  /**
   * Reads a small blob and checks it.
   *
   * @returns undefined when it is not there
   * @throws ContentError `size-mismatch`, `digest-mismatch`
   */
  async read(expected: Expected, what: string): Promise<Buffer | undefined> {
    await this.#checkFolders(algorithmOf(expected.digest))
    const file = await openRegular(this.#path(expected.digest))
    if (file === undefined) return undefined
    try {
      // One byte more than expected shows that the file is too long, whatever its length.
      const buffer = Buffer.alloc(expected.size + 1)
      const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
      const bytes = buffer.subarray(0, bytesRead)
      verifyBytes(bytes, expected, what)
      return bytes
    } finally {
      await file.close()
    }
  }

  /** Writes a blob, and goes on where an earlier run stopped. @throws as {@link writeResumable} */
  async write(content: FileContent, signal: AbortSignal): Promise<void> {
    const { digest } = content.expected
    const path = this.#path(digest)
    await this.#makeFolders(algorithmOf(digest))
    const arrivals = this.#arrivals
    const place = async (complete: string) => {
      await rename(complete, path)
      arrivals?.place(digest, path)
    }
    const told = {
      ...content,
      begun: (incomplete: string) => arrivals?.begin(digest, incomplete),
      ...(arrivals && {
        grown: (bytes: number) => arrivals.grow(digest, bytes),
        coming: (offset: number, bytes: Buffer) => arrivals.offer(digest, offset, bytes),
      }),
    }
    // Another folder than the layout's own is in the user's cache.
    const isInCache = this.#incompleteFolder !== this.#folder
    const diskHint = isInCache ? 'Make room there, or name a folder by REGCTL_CACHE_DIR' : undefined
    const options = {
      signal,
      durable: this.#durable,
      diskHint,
      rate: this.#rate,
      hashThread: this.#hashThread,
    }
    await writeResumable(this.#incompleteFolder, told, place, options)
    this.#unsynced.add(dirname(path))
  }

  /** Writes a blob whose bytes have been checked. */
  async writeBytes(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#place(digest, temporary => writeNew(temporary, bytes, { durable: this.#durable }))
  }

  /**
   * Takes a blob from another folder as a second name of the same file.
   *
   * @returns false when the file system can't do that
   */
  async linkFrom(other: BlobFolder, digest: Digest): Promise<boolean> {
    try {
      await this.#place(digest, temporary => link(other.#path(digest), temporary))
      return true
    } catch (error) {
      const code = systemCodeOf(error)
      if (['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'ENOSYS', 'EACCES', 'ENOENT'].includes(code ?? ''))
        return false
      throw error
    }
  }

  /** Removes a blob; false when there was none. */
  async remove(digest: Digest): Promise<boolean> {
    if ((await this.stat(digest)) === undefined) return false
    await this.#checkFolders(algorithmOf(digest))
    await rm(this.#path(digest), { force: true })
    await syncFolder(dirname(this.#path(digest)))
    return true
  }

  /** Makes the names of all new blobs durable. Comes before anything points at them. */
  async sync(): Promise<void> {
    // What an earlier call has taken on is done when this one ends, too.
    this.#syncing = this.#syncing.catch(() => {}).then(() => this.#sync())
    return this.#syncing
  }

  async #sync(): Promise<void> {
    if (!this.#durable) return
    const folders = [...this.#unsynced]
    this.#unsynced.clear()
    try {
      await Promise.all(folders.map(syncFolder))
    } catch (error) {
      for (const folder of folders) this.#unsynced.add(folder)
      throw error
    }
  }

  /** Removes what killed writers left, and nobody came back for. */
  async tidy(): Promise<void> {
    await tidyPartialFiles(this.#folder)
  }

  #path(digest: Digest): string {
    return join(this.#folder, blobPath(digest))
  }

  async #place(digest: Digest, fill: (temporary: string) => Promise<void>): Promise<void> {
    const path = this.#path(digest)
    await this.#makeFolders(algorithmOf(digest))
    const temporary = join(this.#folder, `${PARTIAL_PREFIX}${uniqueName()}`)
    try {
      await fill(temporary)
      await rename(temporary, path)
    } catch (error) {
      await rm(temporary, { force: true })
      throw error
    }
    // Two names of one file: renaming one to the other does nothing, and leaves both.
    await rm(temporary, { force: true })
    this.#unsynced.add(dirname(path))
  }

  #makeFolders(algorithm: DigestAlgorithm): Promise<void> {
    const known = this.#algorithms.get(algorithm)
    if (known !== undefined) return known
    const made = this.#make(algorithm)
    this.#algorithms.set(algorithm, made)
    made.catch(() => this.#algorithms.delete(algorithm))
    return made
  }

  async #make(algorithm: DigestAlgorithm): Promise<void> {
    await this.#checkFolders(algorithm)
    await makeFolder(join(this.#folder, 'blobs', algorithm))
    await makeFolder(this.#incompleteFolder)
    this.#unsynced.add(this.#folder).add(join(this.#folder, 'blobs'))
  }

  async #checkFolders(algorithm: DigestAlgorithm): Promise<void> {
    await checkFolder(join(this.#folder, 'blobs'))
    await checkFolder(join(this.#folder, 'blobs', algorithm))
  }
}

/** A link in place of a folder could lead out of the layout. */
async function checkFolder(folder: string): Promise<void> {
  const found = await lstat(folder).catch(() => undefined)
  if (found === undefined || found.isDirectory()) return
  throw new LayoutError(`${folder} is a link or a file, where a layout has a folder`, {
    kind: 'corrupt',
    code: found.isSymbolicLink() ? 'unsafe-link' : 'bad-member-type',
  })
}

/** What is written of a blob that is to be put. The bytes are checked where they are written, and only there. */
export function contentOf(blob: BlobContent, context: Context): FileContent {
  const { digest, size } = blob.descriptor
  const { label } = blob.origin
  return {
    expected: blob.descriptor,
    what: `blob ${digest} of ${label}`,
    open: async from =>
      blob.chunks?.(from, { unverified: true }) ?? (await blob.open(from, { unverified: true })),
    resuming: offset => {
      context.emit({ type: 'resuming', operation: `pull of blob ${digest} from ${label}`, offset, size })
    },
  }
}
