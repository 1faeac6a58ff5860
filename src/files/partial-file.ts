import { setMaxListeners } from 'node:events'
import { constants } from 'node:fs'
import { type FileHandle, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Chunks } from '../content/chunks.js'
import { algorithmOf, type Digest, Digester, hexOf } from '../content/digest.js'
import { HashThread, type ThreadDigester } from '../content/hash-thread.js'
import { untilAborted } from '../content/until-aborted.js'
import {
  type Expected,
  isMismatch,
  refuseMore,
  refuseOtherDigest,
  refuseOtherSize,
  sizeMismatch,
} from '../content/verify.js'
import { systemCodeOf } from '../errors.js'
import { explainDiskError, isDiskFull } from './disk-error.js'
import type { DiskRate } from './disk-rate.js'
import { LargeFile } from './large-file.js'
import { isAbandoned, ownedName, release } from './owned-name.js'

/** Less than this is sooner downloaded again than looked for. */
export const WORTH_KEEPING_BYTES = 1024 * 1024
/** A file that is smaller is not worth a look at how the disk could take it faster. */
const LARGE_BYTES = 4 * 1024 * 1024
/** To begin a thread takes as long as to hash so much. */
const WORTH_A_THREAD_BYTES = 48 * 1024 * 1024
/** What nobody came back for in this time goes. */
const ABANDONED_MS = 7 * 24 * 60 * 60 * 1000
/** What the names of incomplete files begin with. */
export const PARTIAL_PREFIX = '.incomplete-'
/** How much of a file is read at once to hash it. */
const READ_BYTES = 1024 * 1024
const OPEN_FLAGS = constants.O_RDWR | constants.O_CREAT | (constants.O_NOFOLLOW ?? 0)

/** Where the bytes of a file come from, and what is told of it. */
export interface FileContent {
  /** What the whole must turn out to be. */
  expected: Expected
  /** Opens the bytes from an offset on. They need not be verified. */
  open(from: number): Promise<Chunks>
  /** For messages: `blob sha256:… of host/repository`. */
  what: string
  /** Is told the path of the file when its bytes come from their start, and then how many are there. */
  begun?(path: string): void
  grown?(bytes: number): void
  /** Is given those that follow on an offset, before they are in the file. They stay as they are until it resolves. */
  coming?(offset: number, bytes: Buffer): Promise<void> | undefined
  /** Is told before it goes on where an earlier run stopped. */
  resuming?(offset: number): void
}

/** How {@link writeResumable} writes. */
export interface WriteOptions {
  signal: AbortSignal
  /** Wait until the bytes are on the disk. */
  durable: boolean
  /** What the user can do when the disk is full; a general word if not given. */
  diskHint?: string | undefined
  /** Of the disk, where several files are written at once. */
  rate?: DiskRate | undefined
  /** Whether a thread hashes large files while they come, which is for when the processor has nothing else to do. Default: true. */
  hashThread?: boolean | undefined
}

/** What the name of a file begins with while it gets the content of a digest. */
export function partialPrefix(digest: Digest): string {
  return `${PARTIAL_PREFIX}${algorithmOf(digest)}-${hexOf(digest)}`
}

/**
 * Makes a file of some content, and goes on with what an earlier run left of the same content in the same folder. That
 * is never trusted: it is hashed first, and when the whole turns out wrong, everything is had once more from the start.
 *
 * @param folder for the file while it is incomplete; on the same file system as where it goes
 * @param place is given the path of the complete, verified file, and renames it
 * @throws ContentError `size-mismatch`, `digest-mismatch`, and then nothing stays; what `open` and its chunks throw, and then
 * what came so far stays where it is worth it
 */
export async function writeResumable(
  folder: string,
  content: FileContent,
  place: (path: string) => Promise<void>,
  options: WriteOptions,
): Promise<void> {
  const prefix = partialPrefix(content.expected.digest)
  const name = ownedName(prefix)
  const path = join(folder, name)
  // It begins while the bytes are asked for.
  const isWorthThread = options.hashThread !== false && content.expected.size >= WORTH_A_THREAD_BYTES
  using thread = isWorthThread ? HashThread.take() : undefined
  try {
    await takeAbandoned(folder, prefix, path)
    await (await PartialFile.open(path, content, options, thread)).fill()
    await place(path)
  } catch (error) {
    if (isMismatch(error) || isDiskFull(error) || !(await isWorthKeeping(path)))
      await rm(path, { force: true })
    throw error
  } finally {
    release(name)
  }
}

/** Removes the incomplete files of a folder that nobody has written to for a week. */
export async function tidyPartialFiles(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith(PARTIAL_PREFIX)) continue
    const path = join(folder, name)
    const found = await lstat(path).catch(() => undefined)
    if (found?.isFile() && Date.now() - found.mtimeMs > ABANDONED_MS) await rm(path, { force: true })
  }
}

/** Gives the largest file that an earlier run left another name. One run alone succeeds with that. */
async function takeAbandoned(folder: string, prefix: string, path: string): Promise<void> {
  const names = await readdir(folder)
  const found: { path: string; size: number }[] = []
  for (const name of names.filter(name => name.startsWith(prefix))) {
    const other = join(folder, name)
    const status = await lstat(other).catch(() => undefined)
    // A file with a second name is somebody else's as well, and must not be written to.
    if (status?.isFile() !== true || status.nlink !== 1) continue
    if (isAbandoned(name, prefix, status.mtimeMs) === true) found.push({ path: other, size: status.size })
  }
  found.sort((a, b) => b.size - a.size)
  let taken = false
  for (const other of found) {
    if (taken) await rm(other.path, { force: true })
    else taken = await tryRename(other.path, path)
  }
}

async function tryRename(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return false
    throw error
  }
}

/** A file while it gets its content. */
class PartialFile {
  constructor(
    private readonly path: string,
    private readonly file: FileHandle,
    private readonly content: FileContent,
    private readonly options: WriteOptions,
    private readonly thread: HashThread | undefined,
  ) {}

  static async open(
    path: string,
    content: FileContent,
    options: WriteOptions,
    thread: HashThread | undefined,
  ): Promise<PartialFile> {
    try {
      return new PartialFile(path, await open(path, OPEN_FLAGS, 0o644), content, options, thread)
    } catch (error) {
      throw explainDiskError(error, dirname(path), content.expected.size, options.diskHint)
    }
  }

  async fill(): Promise<void> {
    try {
      const present = (await this.file.stat()).size
      if (!(await this.#goOn(present))) {
        this.content.begun?.(this.path)
        // Of a file that was truncated, ext4 begins to write all bytes to the disk when it is closed.
        if (present > 0) await this.file.truncate(0)
        await this.#append(this.#digester())
      }
      if (this.options.durable) await this.#onDisk(this.file.sync())
    } finally {
      await this.file.close()
    }
  }

  /** Adds what is missing to what is there. @returns false when there is nothing to go on with, or it was wrong */
  async #goOn(present: number): Promise<boolean> {
    if (present === 0 || present > this.content.expected.size) return false
    const hashed = this.#digester()
    await this.#hash(hashed)
    this.content.begun?.(this.path)
    this.content.grown?.(hashed.size)
    this.content.resuming?.(hashed.size)
    try {
      await this.#append(hashed)
      return true
    } catch (error) {
      if (isMismatch(error)) return false
      throw error
    }
  }

  #digester(): Digester | ThreadDigester {
    const algorithm = algorithmOf(this.content.expected.digest)
    return this.thread?.digester(algorithm) ?? new Digester(algorithm)
  }

  async #hash(digester: Digester | ThreadDigester): Promise<void> {
    const buffer = Buffer.allocUnsafe(READ_BYTES)
    for (;;) {
      this.options.signal.throwIfAborted()
      const { bytesRead } = await this.file.read(buffer, 0, buffer.length, digester.size)
      if (bytesRead === 0) return
      await digester.update(buffer.subarray(0, bytesRead))
    }
  }

  /** Writes what follows the bytes that were hashed. */
  async #append(hashed: Digester | ThreadDigester): Promise<void> {
    const { open, expected, what, grown, coming } = this.content
    const { signal } = this.options
    // Each transfer listens, and there may be many at once.
    setMaxListeners(0, signal)
    const isLarge = expected.size >= LARGE_BYTES
    const target = await LargeFile.of(this.file, {
      path: isLarge ? this.path : undefined,
      durable: false,
      rate: this.options.rate,
    })
    try {
      for await (const chunk of untilAborted(await open(hashed.size), signal)) {
        const reading = coming?.(hashed.size, chunk)
        // Who was not there to take it will read it from the file.
        const isReadSoon = coming !== undefined && reading === undefined
        // While the disk is at work, the chunk is hashed.
        const writing = this.#onDisk(target.write(chunk, hashed.size, { isReadSoon }))
        writing.catch(() => {})
        try {
          await hashed.update(chunk)
          refuseMore(expected, hashed.size, what)
        } finally {
          // Nothing writes to the file any more when it is closed.
          await writing
        }
        // Who reads must not find in the file what it was offered.
        await reading
        grown?.(hashed.size)
      }
      refuseOtherSize(expected, hashed.size, what)
      refuseOtherDigest(expected, await hashed.digest(), what)
    } catch (error) {
      if (systemCodeOf(error) !== 'ERR_STREAM_PREMATURE_CLOSE') throw error
      throw sizeMismatch(what, expected.size, `only ${hashed.size}`)
    } finally {
      await target.settle()
    }
  }

  /** Tells a failure of the disk from one of where the bytes come from. */
  async #onDisk(work: Promise<void>): Promise<void> {
    try {
      await work
    } catch (error) {
      throw explainDiskError(error, dirname(this.path), this.content.expected.size, this.options.diskHint)
    }
  }
}

async function isWorthKeeping(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined)
  return status !== undefined && status.size >= WORTH_KEEPING_BYTES
}
