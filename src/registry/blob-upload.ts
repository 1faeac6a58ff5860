import type { BlobContent, Context } from '../content/store.js'
import { InterruptedError } from '../errors.js'
import { WORTH_KEEPING_BYTES } from '../files/partial-file.js'
import type { RepositoryAccess } from './access.js'
import { headBlob } from './blobs.js'
import type { OpenUpload } from './open-uploads.js'
import { RegistryError } from './registry-error.js'
import { BodySourceError, discard, headerOf, isSuccess } from './send.js'
import {
  type Advice,
  adviseOn,
  causeOf,
  checkStored,
  isBreak,
  isConfirmed,
  mayBeMended,
  refusalOf,
  type UploadFailure,
} from './upload-failure.js'
import { UploadPatience } from './upload-patience.js'
import { uploadedBytes } from './upload-range.js'
import { sendRest, type UploadWork } from './upload-send.js'
import {
  askOffset,
  cancelUpload,
  locationOf,
  resumeLeft,
  startUpload,
  tryMount,
  type UploadSession,
} from './upload-session.js'
import { UploadSource } from './upload-source.js'

/** Up to this size it takes longer to wait for the registry's word than to read what it may not need. */
const READ_BEFORE_ASKED_BYTES = 256 * 1024

/**
 * Uploads a blob by POST and one PUT (distribution-spec, POST then PUT; rules R38 to R46), or has it mounted from another
 * repository of the registry (Mounting a blob from another repository; rules R63 to R67).
 *
 * When the connection breaks it goes on where the registry says that it is (Pushing a blob in chunks; rules R48, R49, R58,
 * R240), in chunks where one piece is too large (rules R55, R56), and begins anew where nothing else is left (rule R241).
 * What is given up is cancelled (rule R59).
 *
 * @param mountFrom a repository of the same registry that has the blob; undefined to send the bytes
 */
export async function uploadBlob(
  repository: RepositoryAccess,
  blob: BlobContent,
  mountFrom: string | undefined,
  context: Context,
): Promise<'copied' | 'mounted'> {
  const { digest, size } = blob.descriptor
  const operation = `push of blob ${digest} to ${repository.label}`
  const source = new UploadSource(blob)
  let memory: OpenUpload | undefined
  try {
    // A mount from elsewhere will mostly do; one from the repository itself asks whether the blob is there.
    const isLikelySent = mountFrom === undefined || mountFrom === repository.name
    if (isLikelySent && size <= READ_BEFORE_ASKED_BYTES) source.prepare()
    const first =
      mountFrom === undefined ? undefined : await tryMount(repository, digest, mountFrom, operation, context)
    if (first === 'mounted') return 'mounted'
    const limit = repository.client.uploadLimits.of(repository.registry)
    memory = await rememberUpload(repository, blob, context)
    await new BlobUpload({ repository, blob, source, limit, memory, operation, context }).run(first)
    return 'copied'
  } finally {
    source.close()
    memory?.release()
  }
}

async function rememberUpload(repository: RepositoryAccess, { descriptor }: BlobContent, context: Context) {
  const { client, registry, name } = repository
  if (client.openUploads === undefined) return undefined
  const { origin } = (await client.endpointOf(registry, context)).base
  return await client.openUploads.claim({ origin, repository: name, ...descriptor })
}

/** The upload of one blob, through as many requests and sessions as it takes. */
class BlobUpload {
  readonly #work: UploadWork
  readonly #patience: UploadPatience
  #checked: Promise<void> | undefined

  constructor(work: UploadWork) {
    this.#work = work
    this.#patience = new UploadPatience(work.limit)
  }

  /** @param first an upload that is open already */
  async run(first: UploadSession | undefined): Promise<void> {
    let session = (await this.#resumeLeft(first)) ?? first ?? (await this.#start())
    for (;;) {
      await this.#work.memory?.save(session.location, session.acknowledged)
      const failure = await this.#send(session)
      const next = failure && (await this.#recover(session, failure))
      if (next === undefined) break
      session = next
    }
    await this.#work.memory?.forget()
  }

  /** Goes on with what an earlier run left. */
  async #resumeLeft(first: UploadSession | undefined): Promise<UploadSession | undefined> {
    const { repository, blob, memory, operation, context } = this.#work
    const { size } = blob.descriptor
    if (memory?.left === undefined) return undefined
    const session = await resumeLeft(repository, memory.left, size, operation, context)
    if (session === undefined) return undefined
    if (first !== undefined) await cancelUpload(repository, first)
    const offset = session.acknowledged
    this.#patience.begin(offset)
    context.emit({ type: 'resuming', operation, offset, size })
    return session
  }

  async #start(): Promise<UploadSession> {
    const { repository, blob, source, operation, context } = this.#work
    this.#patience.begin()
    source.prepare()
    return await startUpload(repository, blob.descriptor.digest, operation, context)
  }

  /** Sends what is missing; undefined when the blob is in place. */
  async #send(session: UploadSession): Promise<UploadFailure | undefined> {
    const { digest } = this.#work.blob.descriptor
    try {
      const answer = await sendRest(this.#work, session)
      discard(answer.response)
      // The registry hashes what comes as well. To do so here too takes 8 % longer where both share two processors, so that it
      // is done when the registry doesn't say that it found the right digest.
      if (!isConfirmed(answer, digest)) await this.#check()
      if (!isSuccess(answer.response.status))
        return { error: refusalOf(answer, digest, this.#patience.failures + 1), answer }
      checkStored(answer, digest)
      return undefined
    } catch (error) {
      if (error instanceof RegistryError && mayBeMended(error)) return { error }
      await this.#leave(session, error)
      throw error instanceof BodySourceError ? error.cause : error
    }
  }

  /** @throws ContentError when the bytes are not what they should be, which is then neither the registry's fault nor its affair */
  async #check(): Promise<void> {
    const { blob } = this.#work
    this.#checked ??= blob.check?.() ?? Promise.resolve()
    await this.#checked
  }

  /** The upload to go on with; undefined when the blob is in place after all. */
  async #recover(session: UploadSession, failure: UploadFailure): Promise<UploadSession | undefined> {
    const { repository, blob, operation, context } = this.#work
    const { retrier } = repository.client
    const isAllSent = session.sent >= blob.descriptor.size
    const given = adviseOn(failure, session.isPartial, this.#patience.failures > 0)
    const advice = this.#patience.heed(given, session, failure)
    try {
      if (advice === 'fail') throw failure.error
      if (isBreak(failure) && isAllSent && (await this.#isStored())) return undefined
      const delayMs = this.#delayMs(advice, failure)
      if (delayMs === undefined) throw failure.error
      await retrier.pause({ operation, context }, this.#patience.failures, {
        cause: causeOf(failure),
        delayMs,
      })
      if (advice !== 'restart' && advice !== 'restart-once') {
        const offset = await this.#offsetOf(session, failure)
        if (offset !== undefined) {
          if (this.#patience.mayGoOn(session, offset, failure, advice)) return this.#goOn(session, offset)
          throw failure.error
        }
        // Meanwhile it may have come to its end.
        if (isAllSent && (await this.#isStored())) return undefined
      }
      if (!this.#patience.mayRestart(session, failure, advice)) throw failure.error
    } catch (error) {
      const isInterrupted = error instanceof InterruptedError
      const isKept = await this.#leave(session, isInterrupted ? error : failure.error)
      // What went wrong first tells more than what went wrong while looking how to go on.
      throw isInterrupted ? error : this.#finalError(failure, isKept)
    }
    await cancelUpload(repository, session)
    return await this.#start()
  }

  #delayMs(advice: Advice, failure: UploadFailure): number | undefined {
    const { retrier } = this.#work.repository.client
    const attempt = this.#patience.waitsBefore(advice, failure)
    if (attempt === undefined) return 0
    const { answer } = failure
    return answer === undefined ? retrier.backoff(attempt) : retrier.delayAfter(answer.response, attempt)
  }

  /** No answer came: the blob may be there all the same (rule R240). */
  async #isStored(): Promise<boolean> {
    const { repository, blob, context } = this.#work
    const { digest, size } = blob.descriptor
    const status = await headBlob(repository, digest, 'push', context)
    return status.state === 'present' && (status.size ?? size) === size
  }

  /** How much the registry has of an upload, by what it just said or when it is asked (rules R58, R242). */
  async #offsetOf(session: UploadSession, { answer }: UploadFailure): Promise<number | undefined> {
    const { repository, operation, context } = this.#work
    if (answer?.response.status === 416) {
      const { request, response } = answer
      const offset = uploadedBytes(headerOf(response, 'range'), session.sent)
      session.location = locationOf(repository, request, response) ?? session.location
      // Asked to go on where it said before, it said the same: it counts one too many (rule R48).
      if (offset !== undefined) return offset === session.acknowledged ? Math.max(offset - 1, 0) : offset
    }
    return await askOffset(repository, session, session.sent, operation, context)
  }

  #goOn(session: UploadSession, offset: number): UploadSession {
    const { operation, context, blob } = this.#work
    session.acknowledged = offset
    session.isPartial ||= offset > 0
    if (offset > 0) context.emit({ type: 'resuming', operation, offset, size: blob.descriptor.size })
    return session
  }

  #finalError({ error }: UploadFailure, isKept: boolean): RegistryError {
    const hint = 'The registry keeps what was sent: the same command goes on from there'
    return error.with({ attempts: this.#patience.failures, ...(isKept && { hint }) })
  }

  /**
   * Leaves an upload that breaks off to the next run where that is worth it, and cancels it else.
   *
   * @returns whether it was left
   */
  async #leave(session: UploadSession, error: unknown): Promise<boolean> {
    const { repository, memory, context } = this.#work
    const isBroken =
      error instanceof InterruptedError || (error instanceof RegistryError && isBreak({ error }))
    if (memory !== undefined && isBroken && session.sent >= WORTH_KEEPING_BYTES) return true
    await memory?.forget()
    await cancelUpload(repository, session, context.signal.aborted)
    return false
  }
}
