import { constants, type Stats } from 'node:fs'
import { access, lstat, readdir, rename, rm, rmdir, stat, statfs, utimes } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { isDigest } from '../content/digest.js'
import { checkWritable, makeFolder } from '../files/make-folder.js'
import { isAbandoned, ownedName, release } from '../files/owned-name.js'
import { partialPrefix, tidyPartialFiles, WORTH_KEEPING_BYTES } from '../files/partial-file.js'
import { Staging } from './staging.js'

/** What the names of the folders of runs begin with. */
const RUN_PREFIX = 'run'
/** How often a run shows that it is at work, however long one blob takes. */
const PULSE_MS = 5 * 60 * 1000
/** A cache on another disk than the target is used when this much is free there, or as much as at the target. */
const ENOUGH_BYTES = 32 * 1024 ** 3
/** With less than this a disk counts as full. */
const ROOM_BYTES = 256 * 1024 ** 2

/** A folder in which images are gathered before they are written as a whole. */
export interface GatheringFolder extends AsyncDisposable {
  /** Not made before {@link make}. */
  readonly path: string
  /** Where blobs are while they are incomplete; undefined for the layout's own folder. */
  readonly incompleteFolder: string | undefined
  make(): Promise<void>
  /** Tells that everything was written, so that nothing is kept for another run. */
  finish(): void
}

/** The layout of a gathering folder that holds what is to be written. */
export const GATHERED_LAYOUT = 'layout'
/** The layout that holds what was downloaded, where that is converted first. */
export const DOWNLOADED_LAYOUT = 'downloaded'

/**
 * Chooses where an image is gathered: below the user's cache, where the next run finds what this one downloaded, or
 * beside the target. Nothing is written.
 *
 * @param cache undefined where there is none
 * @param target on the disk that must have room anyway
 */
export async function openGathering(cache: string | undefined, target: string): Promise<GatheringFolder> {
  const downloads = cache === undefined ? undefined : join(cache, 'downloads')
  if (downloads !== undefined && (await isUsable(downloads, dirname(target))))
    return new DownloadFolder(downloads, dirname(target))
  const staging = await Staging.beside(target)
  return {
    path: staging.path,
    incompleteFolder: undefined,
    // In a folder that others use, nobody else looks into it.
    make: () => staging.make(0o700),
    finish() {},
    [Symbol.asyncDispose]: () => staging[Symbol.asyncDispose](),
  }
}

async function isUsable(downloads: string, folder: string): Promise<boolean> {
  try {
    const [here, there] = [await existing(downloads), await existing(folder)]
    await access(here, constants.W_OK)
    const found = await stat(here)
    if (!found.isDirectory() || (here === downloads && !isPrivate(found))) return false
    if (found.dev === (await stat(there)).dev) return true
    const free = await freeBytes(here)
    return free >= ENOUGH_BYTES || free >= (await freeBytes(there))
  } catch {
    return false
  }
}

/** What was checked must not be changed by others before it is in an archive. */
function isPrivate({ uid, mode }: Stats): boolean {
  return process.getuid === undefined || (uid === process.getuid() && (mode & 0o022) === 0)
}

/** The folder, or the lowest one above it that is there. */
async function existing(folder: string): Promise<string> {
  const found = await stat(folder).catch(() => undefined)
  return found !== undefined || dirname(folder) === folder ? folder : await existing(dirname(folder))
}

async function hasRoom(folder: string): Promise<boolean> {
  return (await freeBytes(folder).catch(() => 0)) >= ROOM_BYTES
}

async function freeBytes(folder: string): Promise<number> {
  const { bavail, bsize } = await statfs(folder)
  return bavail * bsize
}

/**
 * What one run downloads, in the user's cache. Each run has a folder of its own, and what goes into an archive is what
 * lies there: nothing of another run ever does. Incomplete blobs lie beside these folders, where any run goes on with
 * those that nobody works on. The complete ones of a run that came to no end are put there as well: they are trusted no
 * more than the others.
 */
class DownloadFolder implements GatheringFolder {
  readonly path: string
  readonly incompleteFolder: string
  #made: Promise<void> | undefined
  #pulse: NodeJS.Timeout | undefined
  #isFinished = false

  /** @param targetFolder where the image will be written, which is found out before it is downloaded */
  constructor(
    folder: string,
    private readonly targetFolder: string,
  ) {
    this.incompleteFolder = folder
    this.path = join(folder, ownedName(RUN_PREFIX))
  }

  make(): Promise<void> {
    this.#made ??= this.#make()
    return this.#made
  }

  async #make(): Promise<void> {
    const folder = this.incompleteFolder
    await checkWritable(this.targetFolder)
    await makeFolder(this.path, 0o700)
    const show = () => utimes(this.path, new Date(), new Date()).catch(() => {})
    this.#pulse = setInterval(show, PULSE_MS).unref()
    for (const name of await readdir(folder)) {
      const path = join(folder, name)
      const writtenMs = name.startsWith(RUN_PREFIX) ? await lastWritten(path) : undefined
      if (writtenMs !== undefined && isAbandoned(name, RUN_PREFIX, writtenMs)) await giveUp(folder, path)
    }
    await tidyPartialFiles(folder)
  }

  finish(): void {
    this.#isFinished = true
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const folder = this.incompleteFolder
    clearInterval(this.#pulse)
    // What is left on a disk that is full would be in the way of everybody.
    const isKept = !this.#isFinished && this.#made !== undefined && (await hasRoom(folder))
    if (isKept) await giveUp(folder, this.path)
    else await rm(this.path, { recursive: true, force: true })
    release(basename(this.path))
    // Other runs, and what is kept, need it still.
    await rmdir(folder).catch(() => {})
  }
}

/** Keeps the complete blobs of a run's folder as if they were incomplete, and removes the rest of it. */
async function giveUp(folder: string, run: string): Promise<void> {
  for (const blobs of blobFolders(run)) {
    for (const hex of await readdir(blobs).catch(() => [])) {
      const digest = `${basename(blobs)}:${hex}`
      const path = join(blobs, hex)
      const found = await lstat(path).catch(() => undefined)
      if (!isDigest(digest) || found?.isFile() !== true || found.size < WORTH_KEEPING_BYTES) continue
      // What has a second name is a blob of a layout too.
      if (found.nlink > 1) continue
      const name = ownedName(partialPrefix(digest))
      await rename(path, join(folder, name)).catch(() => {})
      release(name)
    }
  }
  await rm(run, { recursive: true, force: true })
}

function blobFolders(run: string): string[] {
  return [GATHERED_LAYOUT, DOWNLOADED_LAYOUT].flatMap(layout =>
    ['sha256', 'sha512'].map(algorithm => join(run, layout, 'blobs', algorithm)),
  )
}

/** When something was last put into a run's folder. */
async function lastWritten(run: string): Promise<number> {
  const times = [run, ...blobFolders(run)].map(
    async path => (await lstat(path).catch(() => undefined))?.mtimeMs,
  )
  return Math.max(...(await Promise.all(times)).map(time => time ?? 0))
}
