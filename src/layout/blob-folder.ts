import { link, lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Readable } from 'node:stream'
import { algorithmOf, type Digest, type DigestAlgorithm } from '../content/digest.js'
import { type Expected, verifyBytes } from '../content/verify.js'
import { systemCodeOf } from '../errors.js'
import { openRegular, syncFolder, uniqueName, writeSynced, writeVerified } from '../files/atomic-file.js'
import { LayoutError } from './layout-error.js'
import { blobPath } from './layout-format.js'

/** What the names of blobs begin with while they are incomplete: beside `blobs`, where no reader of layouts looks. */
const INCOMPLETE_PREFIX = '.incomplete-'
/** Older files there are the rest of a writer that was killed. */
const ABANDONED_MS = 24 * 60 * 60 * 1000

/**
 * The `blobs` of a layout in a folder. A blob appears under its name only after all its bytes were there, with the
 * right digest, and on the disk. Paths are made of digests alone, and no link is followed (rule R224).
 */
export class BlobFolder {
  readonly #folder: string
  readonly #algorithms = new Map<DigestAlgorithm, Promise<void>>()
  /** The folders that hold new names since they were last made durable. */
  readonly #unsynced = new Set<string>()

  constructor(folder: string) {
    this.#folder = folder
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
   * @returns undefined when it is not there
   */
  async open(digest: Digest, from: number): Promise<Readable | undefined> {
    await this.#checkFolders(algorithmOf(digest))
    const file = await openRegular(this.#path(digest))
    return file?.createReadStream({ start: from })
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

  /** Writes a blob from a stream, which is verified here. @throws as {@link writeVerified} */
  async write(
    open: () => Promise<Readable>,
    expected: Expected,
    what: string,
    signal: AbortSignal,
  ): Promise<void> {
    await this.#place(expected.digest, temporary => writeVerified(temporary, open, expected, what, signal))
  }

  /** Writes a blob whose bytes have been checked. */
  async writeBytes(digest: Digest, bytes: Uint8Array): Promise<void> {
    await this.#place(digest, temporary => writeSynced(temporary, bytes))
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
    return true
  }

  /** Makes the names of all new blobs durable. Comes before anything points at them. */
  async sync(): Promise<void> {
    const folders = [...this.#unsynced]
    this.#unsynced.clear()
    await Promise.all(folders.map(syncFolder))
  }

  /** Removes what killed writers left. */
  async tidy(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      if (!name.startsWith(INCOMPLETE_PREFIX)) continue
      const path = join(this.#folder, name)
      const found = await lstat(path).catch(() => undefined)
      if (found?.isFile() && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true })
    }
  }

  #path(digest: Digest): string {
    return join(this.#folder, blobPath(digest))
  }

  async #place(digest: Digest, fill: (temporary: string) => Promise<void>): Promise<void> {
    const path = this.#path(digest)
    await this.#makeFolders(algorithmOf(digest))
    const temporary = join(this.#folder, `${INCOMPLETE_PREFIX}${uniqueName()}`)
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
    await mkdir(join(this.#folder, 'blobs', algorithm), { recursive: true })
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
