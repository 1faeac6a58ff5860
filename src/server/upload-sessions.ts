import { chmod, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { DigestAlgorithm } from '../content/digest.js'
import { RegistryError } from './errors.js'
import { UploadSession } from './upload-session.js'

/**
 * All unfinished uploads of a server. Their files lie in a folder of their own that only its owner can read,
 * made with the first upload and removed at the end. An upload that nothing happens to for a while is given up.
 */
export class UploadSessions implements AsyncDisposable {
  readonly #parent: string
  readonly #expiryMs: number
  readonly #sessions = new Map<string, { session: UploadSession; timer: NodeJS.Timeout; users: number }>()
  #folder: Promise<string> | undefined

  /** `parent` holds the folder: the system's folder for temporary files when not given. */
  constructor(parent: string | undefined, expiryMs: number) {
    this.#parent = parent ?? tmpdir()
    this.#expiryMs = expiryMs
  }

  /** Starts an upload to a repository. */
  async start(repository: string, algorithm: DigestAlgorithm): Promise<UploadSession> {
    this.#folder ??= makeFolder(this.#parent)
    const session = await UploadSession.create(repository, await this.#folder, algorithm)
    const timer = setTimeout(() => this.#expire(session.id), this.#expiryMs)
    timer.unref()
    this.#sessions.set(session.id, { session, timer, users: 0 })
    return session
  }

  /**
   * Runs `work` on an upload. It does not expire meanwhile, and has its full time again afterwards.
   *
   * @throws RegistryError BLOB_UPLOAD_UNKNOWN when the repository has no upload of that name
   */
  async use<T>(repository: string, id: string, work: (session: UploadSession) => Promise<T>): Promise<T> {
    const entry = this.#sessions.get(id)
    if (entry === undefined || entry.session.repository !== repository) {
      throw new RegistryError('BLOB_UPLOAD_UNKNOWN', `${repository} has no such upload; start a new one`)
    }
    entry.users++
    try {
      return await work(entry.session)
    } finally {
      entry.users--
      entry.timer.refresh()
    }
  }

  /** Ends an upload, whether it came to its end or not. */
  async end(session: UploadSession): Promise<void> {
    clearTimeout(this.#sessions.get(session.id)?.timer)
    this.#sessions.delete(session.id)
    await session.close()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sessions.values()].map(({ session }) => this.end(session)))
    const folder = await this.#folder?.catch(() => undefined)
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }

  #expire(id: string): void {
    const entry = this.#sessions.get(id)
    if (entry === undefined) return
    // A slow upload is not an idle one.
    if (entry.users > 0) entry.timer.refresh()
    else void this.end(entry.session).catch(() => {})
  }
}

async function makeFolder(parent: string): Promise<string> {
  await mkdir(parent, { recursive: true })
  const folder = await mkdtemp(join(parent, 'regctl-uploads-'))
  await chmod(folder, 0o700)
  return folder
}
