import { mkdir, readdir } from 'node:fs/promises'
import type { DigestAlgorithm } from '../content/digest.js'
import { TemporaryFolder } from '../files/temporary-folder.js'
import { RegistryError } from './errors.js'
import { UploadSession } from './upload-session.js'

/** An upload that nothing happened to for so long makes room for a new one, where there are too many. */
const ABANDONED_MS = 10 * 60 * 1000
/** When one who is told that there are too many may ask again. */
const RETRY_SECONDS = 30

/** How unfinished uploads are kept. */
export interface UploadSettings {
  /** Where they outlive the server. Default: a folder for temporary files, which goes with the server. */
  directory?: string | undefined
  /** How long an upload may lie idle before it is given up. */
  expiryMs: number
  /** How many there may be at once. */
  maximum: number
  /** How many bytes they may have, all together. */
  limitBytes: number
}

interface Entry {
  session: UploadSession
  timer?: NodeJS.Timeout
  /** How many requests work on it. */
  users: number
  lastMs: number
}

/**
 * All unfinished uploads of a server, in a folder that only its owner can read. An upload that nothing happens to for a
 * while is given up.
 */
export class UploadSessions implements AsyncDisposable {
  readonly #settings: UploadSettings
  readonly #sessions = new Map<string, Entry>()
  #folder: Promise<string> | undefined
  #temporary: TemporaryFolder | undefined

  constructor(settings: UploadSettings) {
    this.#settings = settings
  }

  /** Takes up the uploads of an earlier server on the same folder, and removes those that are too old. */
  async restore(): Promise<void> {
    const { directory, expiryMs } = this.#settings
    if (directory === undefined) return
    for (const name of await readdir(directory).catch(() => [])) {
      const found = await UploadSession.restore(directory, name)
      if (found === undefined || this.#sessions.has(found.session.id)) continue
      if (Date.now() - found.lastMs < expiryMs) this.#add(found.session, found.lastMs)
      else await found.session.close()
    }
  }

  /**
   * Starts an upload to a repository.
   *
   * @throws RegistryError TOOMANYREQUESTS when there are as many as there may be, and all of them are alive
   */
  async start(repository: string, algorithm: DigestAlgorithm): Promise<UploadSession> {
    await this.#makeRoom()
    this.#folder ??= this.#makeFolder()
    const folder = this.#folder
    folder.catch(() => {
      this.#folder = undefined
    })
    const session = await UploadSession.create(repository, await folder, algorithm)
    this.#add(session, Date.now())
    return session
  }

  /**
   * Runs `work` on an upload. It does not expire meanwhile, and has its full time again afterwards.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN when the repository has no upload of that name
   */
  async use<T>(repository: string, id: string, work: (session: UploadSession) => Promise<T>): Promise<T> {
    const entry = this.#sessions.get(id)
    if (entry === undefined || !entry.session.isOf(repository)) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `${repository} has no such upload; start a new one`)
    }
    entry.users++
    try {
      return await work(entry.session)
    } finally {
      entry.users--
      entry.lastMs = Date.now()
      if (this.#sessions.get(id) === entry) this.#arm(entry)
    }
  }

  /**
   * The bytes of a body as they pass, so long as all uploads together may have more.
   *
   * @throws RegistryError 507 when they may not
   */
  async *bounded(body: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
    for await (const chunk of body) {
      if (this.#unfinishedBytes() + chunk.length > this.#settings.limitBytes) {
        throw new RegistryError('UNKNOWN', 'the registry holds as many unfinished bytes as it may', {
          status: 507,
        })
      }
      yield chunk
    }
  }

  /** Ends an upload, whether it came to its end or not. */
  async end(session: UploadSession): Promise<void> {
    clearTimeout(this.#sessions.get(session.id)?.timer)
    this.#sessions.delete(session.id)
    await session.close()
  }

  /** Those in a folder that outlives the server stay there. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const { timer } of this.#sessions.values()) clearTimeout(timer)
    this.#sessions.clear()
    await this.#folder?.catch(() => undefined)
    await this.#temporary?.[Symbol.asyncDispose]()
  }

  #add(session: UploadSession, lastMs: number): void {
    const entry: Entry = { session, users: 0, lastMs }
    this.#arm(entry)
    this.#sessions.set(session.id, entry)
  }

  #arm(entry: Entry): void {
    clearTimeout(entry.timer)
    const leftMs = entry.lastMs + this.#settings.expiryMs - Date.now()
    entry.timer = setTimeout(() => this.#expire(entry), Math.max(leftMs, 0))
    entry.timer.unref()
  }

  #expire(entry: Entry): void {
    // A slow upload is not an idle one: its time starts anew when the request ends.
    if (entry.users === 0) void this.end(entry.session).catch(() => {})
  }

  #unfinishedBytes(): number {
    let bytes = 0
    for (const { session } of this.#sessions.values()) bytes += session.size
    return bytes
  }

  async #makeRoom(): Promise<void> {
    if (this.#sessions.size < this.#settings.maximum) return
    const idle = [...this.#sessions.values()].filter(({ users }) => users === 0)
    const oldest = idle.sort((one, other) => one.lastMs - other.lastMs)[0]
    if (oldest !== undefined && Date.now() - oldest.lastMs >= ABANDONED_MS) return this.end(oldest.session)
    throw new RegistryError('TOOMANYREQUESTS', 'too many uploads are unfinished; try again later', {
      headers: { 'Retry-After': `${RETRY_SECONDS}` },
    })
  }

  async #makeFolder(): Promise<string> {
    const { directory } = this.#settings
    if (directory !== undefined) {
      await mkdir(directory, { recursive: true, mode: 0o700 })
      return directory
    }
    this.#temporary = await TemporaryFolder.create('regctl-uploads')
    return this.#temporary.path
  }
}
