import { createHash } from 'node:crypto'
import { lstat, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject, parseJson } from '../content/manifest.js'
import { type Expected, readLimited } from '../content/verify.js'
import { openRegular } from '../files/atomic-file.js'
import { replaceCacheFile } from '../files/cache-file.js'
import { makeCacheFolder } from '../files/cache-folder.js'
import { isAbandoned, ownedName, release } from '../files/owned-name.js'
import { WORTH_KEEPING_BYTES } from '../files/partial-file.js'

/** Registries forget an upload after a week at the latest (rule R200). */
const EXPIRY_MS = 7 * 24 * 60 * 60 * 1000
/** A Location is no longer than the headers of an answer may be (rule R203); JSON may double it. */
const STATE_LIMIT_BYTES = 64 * 1024
const VERSION = 1

/** Where a blob is being uploaded to. */
export interface UploadPlace extends Expected {
  /** Scheme, host and port of the registry. */
  readonly origin: string
  /** Without the registry's host. */
  readonly repository: string
}

/** What an earlier run left: a guess that the registry has to confirm (rule R200). */
export interface LeftUpload {
  /** As the registry gave it. It can hold a secret, and is checked like any other before it is followed. */
  readonly location: string
}

/**
 * Remembers uploads from one run to the next: a small file for each, which only its user can read, since signed Locations
 * are secrets (rules R200, R219). Its name says for what it is, and which run works with it. Nothing here fails: what can't
 * be remembered is not.
 */
export class OpenUploads {
  readonly #folder: string
  #isTidy: Promise<void> | undefined

  /** @param folder is made when it is needed */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * Takes what an earlier run left of an upload, so that no other run takes it, and a place to remember this one. Blobs that
   * are sooner sent again than looked for have none.
   */
  async claim(place: UploadPlace): Promise<OpenUpload | undefined> {
    if (place.size < WORTH_KEEPING_BYTES) return undefined
    const name = ownedName(nameOf(place))
    const path = join(this.#folder, name)
    try {
      await makeCacheFolder(this.#folder)
      this.#isTidy ??= this.#tidy()
      await this.#isTidy
      await this.#takeAbandoned(nameOf(place), path)
      return new OpenUpload(name, path, place, await readLeft(path, place))
    } catch {
      release(name)
      return undefined
    }
  }

  /** Gives what a run left behind the name of this one. One run alone succeeds with that. */
  async #takeAbandoned(prefix: string, path: string): Promise<void> {
    let newestMs = 0
    for (const name of await readdir(this.#folder)) {
      if (!name.startsWith(prefix)) continue
      const other = join(this.#folder, name)
      const status = await lstat(other).catch(() => undefined)
      if (status === undefined || isAbandoned(name, prefix, status.mtimeMs) !== true) continue
      if (status.mtimeMs > newestMs) await rename(other, path).catch(() => {})
      else await rm(other, { force: true })
      newestMs = Math.max(newestMs, status.mtimeMs)
    }
  }

  async #tidy(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      const status = await lstat(path)
      if (status.isFile() && Date.now() - status.mtimeMs > EXPIRY_MS) await rm(path, { force: true })
    }
  }
}

/** The memory of one upload. This run alone uses it until {@link OpenUpload.release}. */
export class OpenUpload {
  /** What an earlier run left; undefined when there was nothing of use. */
  readonly left: LeftUpload | undefined
  readonly #name: string
  readonly #path: string
  readonly #place: UploadPlace
  #saved = ''

  constructor(name: string, path: string, place: UploadPlace, left: LeftUpload | undefined) {
    this.#name = name
    this.#path = path
    this.#place = place
    this.left = left
  }

  /** Remembers where the upload is, when that has changed. */
  async save(location: URL, offset: number): Promise<void> {
    if (location.href === this.#saved) return
    this.#saved = location.href
    const { digest, size } = this.#place
    const state = { version: VERSION, location: location.href, digest, size, offset, timeMs: Date.now() }
    try {
      await replaceCacheFile(this.#path, JSON.stringify(state))
    } catch {
      // The next run begins this upload anew.
    }
  }

  /** The upload is over: nothing stays. */
  async forget(): Promise<void> {
    this.#saved = ''
    await rm(this.#path, { force: true }).catch(() => {})
  }

  /** Leaves what is remembered to another run. */
  release(): void {
    release(this.#name)
  }
}

/** Nothing of the place itself is in the name: whoever may list the folder learns nothing from it. */
function nameOf({ origin, repository, digest }: UploadPlace): string {
  return createHash('sha256').update(`${origin} ${repository} ${digest}`).digest('hex').slice(0, 32)
}

async function readLeft(path: string, place: UploadPlace): Promise<LeftUpload | undefined> {
  const file = await openRegular(path)
  if (file === undefined) return undefined
  try {
    const state = parseJson(await readLimited(file.createReadStream(), STATE_LIMIT_BYTES, path), path)
    return isObject(state) ? checked(state, place) : undefined
  } catch {
    return undefined
  } finally {
    await file.close().catch(() => {})
  }
}

function checked(state: Record<string, unknown>, { digest, size }: UploadPlace): LeftUpload | undefined {
  const { version, location, timeMs } = state
  if (version !== VERSION || state.digest !== digest || state.size !== size) return undefined
  if (typeof location !== 'string' || typeof timeMs !== 'number') return undefined
  const age = Date.now() - timeMs
  return age >= 0 && age < EXPIRY_MS ? { location } : undefined
}
