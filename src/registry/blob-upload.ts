import type { BlobContent, Context } from '../content/store.js'
import { InterruptedError } from '../errors.js'
import { WORTH_KEEPING_BYTES } from '../files/partial-file.js'
import type { RepositoryAccess } from './access.js'
import { headBlob } from './blobs.js'
import { RegistryError } from './registry-error.js'
import { BodySourceError, discard, headerOf, isSuccess } from './send.js'
import {
  type Advice,
  adviseOn,
  causeOf,
  checkStored,
  isBreak,
  mayBeMended,
  refusalOf,
  type UploadFailure,
} from './upload-failure.js'
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

/** How often a blob is begun anew at most without getting further than before (rule R241), and altogether. */
const MAXIMUM_FRUITLESS_RESTARTS = 3
const MAXIMUM_RESTARTS = 10
/** After so many breaks in a row without a byte in between, an upload fails. */
const MAXIMUM_BREAKS = 5
/** After so many refused offsets in a row, an upload begins anew (rule R241). */
const MAXIMUM_RANGE_REFUSALS = 2
/** How often a registry is asked that has not noticed yet that a connection broke. */
const MAXIMUM_BUSY = 5
/** Less more than this is not further: how much of what was sent got through, and what stayed in buffers, is not known. */
const FURTHER = 1.1
const BUFFER_BYTES = 4 * 1024 * 1024

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
  const { digest } = blob.descriptor
  const operation = `push of blob ${digest} to ${repository.label}`
  const first =
    mountFrom === undefined ? undefined : await tryMount(repository, digest, mountFrom, operation, context)
  if (first === 'mounted') return 'mounted'
  const source = new UploadSource(blob)
  const limit = repository.client.uploadLimits.of(repository.registry)
  const memory = await rememberUpload(repository, blob, context)
  try {
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
  /** How often bytes were sent and something went wrong. */
  #failures = 0
  #restarts = 0
  #fruitlessRestarts = 0
  /** The furthest that an upload got which then had to begin anew. */
  #furthest = 0
  /** Where the present upload went on the last time. */
  #resumedAt = 0
  /** How often in a row it did not move. */
  #breaks = 0
  /** How often in a row an offset was refused. */
  #rangeRefusals = 0
  #hadWrongDigest = false

  constructor(work: UploadWork) {
    this.#work = work
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
    this.#resumedAt = offset
    context.emit({ type: 'resuming', operation, offset, size })
    return session
  }

  async #start(): Promise<UploadSession> {
    const { repository, blob, operation, context } = this.#work
    this.#resumedAt = 0
    this.#breaks = 0
    this.#rangeRefusals = 0
    return await startUpload(repository, blob.descriptor.digest, operation, context)
  }

  /** Sends what is missing; undefined when the blob is in place. */
  async #send(session: UploadSession): Promise<UploadFailure | undefined> {
    const { digest } = this.#work.blob.descriptor
    try {
      const answer = await sendRest(this.#work, session)
      discard(answer.response)
      if (!isSuccess(answer.response.status))
        return { error: refusalOf(answer, digest, this.#failures + 1), answer }
      checkStored(answer, digest)
      return undefined
    } catch (error) {
      if (error instanceof RegistryError && mayBeMended(error)) return { error }
      await this.#leave(session, error)
      throw error instanceof BodySourceError ? error.cause : error
    }
  }

  /** The upload to go on with; undefined when the blob is in place after all. */
  async #recover(session: UploadSession, failure: UploadFailure): Promise<UploadSession | undefined> {
    const { repository, blob, operation, context } = this.#work
    const { retrier } = repository.client
    this.#failures++
    const isAllSent = session.sent >= blob.descriptor.size
    const advice = this.#heed(adviseOn(failure, session.isPartial, this.#failures > 1), session, failure)
    try {
      if (advice === 'fail') throw failure.error
      if (isBreak(failure) && isAllSent && (await this.#isStored())) return undefined
      const delayMs = this.#delayMs(advice, failure)
      if (delayMs === undefined) throw failure.error
      await retrier.pause({ operation, context }, this.#failures, { cause: causeOf(failure), delayMs })
      if (advice !== 'restart' && advice !== 'restart-once') {
        const offset = await this.#offsetOf(session, failure)
        if (offset !== undefined) return this.#goOn(session, offset, failure, advice)
        // Meanwhile it may have come to its end.
        if (isAllSent && (await this.#isStored())) return undefined
      }
      this.#countRestart(session, failure, advice)
    } catch (error) {
      const isInterrupted = error instanceof InterruptedError
      const isKept = await this.#leave(session, isInterrupted ? error : failure.error)
      // What went wrong first tells more than what went wrong while looking how to go on.
      throw isInterrupted ? error : this.#finalError(failure, isKept)
    }
    await cancelUpload(repository, session)
    return await this.#start()
  }

  /** What to do by an advice, with what was tried before. */
  #heed(advice: Advice, session: UploadSession, { answer }: UploadFailure): Advice {
    const { limit } = this.#work
    const isRangeRefused = answer?.response.status === 416
    this.#rangeRefusals = isRangeRefused ? this.#rangeRefusals + 1 : 0
    if (isRangeRefused) return this.#rangeRefusals < MAXIMUM_RANGE_REFUSALS ? advice : 'restart'
    if (advice === 'smaller') return limit.refuse(session.requested, true) ? advice : 'fail'
    if (advice === 'chunks') return limit.wantChunks() ? advice : 'fail'
    if (advice !== 'restart-once') return advice
    const isSecond = this.#hadWrongDigest
    this.#hadWrongDigest = true
    return isSecond ? 'fail' : advice
  }

  #delayMs(advice: Advice, { answer }: UploadFailure): number | undefined {
    const { retrier } = this.#work.repository.client
    const isRefused = advice === 'smaller' || advice === 'chunks' || advice === 'restart-once'
    if (isRefused || answer?.response.status === 416) return 0
    const attempt = Math.max(this.#breaks, this.#fruitlessRestarts) + 1
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
    for (let asked = 1; ; asked++) {
      const offset = await askOffset(repository, session, session.sent, operation, context)
      if (offset !== 'busy') return offset
      if (asked >= MAXIMUM_BUSY) return undefined
      const { retrier } = repository.client
      const cause = 'the registry is still busy with what broke off'
      await retrier.pause({ operation, context }, asked, { cause, delayMs: retrier.backoff(asked) })
    }
  }

  /** @throws the failure's error when the upload doesn't move */
  #goOn(session: UploadSession, offset: number, failure: UploadFailure, advice: Advice): UploadSession {
    const { limit, operation, context, blob } = this.#work
    const hasMoved = offset > this.#resumedAt || advice !== 'look'
    this.#breaks = hasMoved ? 0 : this.#breaks + 1
    this.#resumedAt = offset
    // Nothing got through, twice: perhaps because it is too much at once (rule R55).
    if (isBreak(failure) && this.#breaks >= 2 && limit.refuse(session.requested, false)) {
      this.#breaks = 1
    }
    if (this.#breaks >= MAXIMUM_BREAKS) throw failure.error
    session.acknowledged = offset
    session.isPartial ||= offset > 0
    if (offset > 0) context.emit({ type: 'resuming', operation, offset, size: blob.descriptor.size })
    return session
  }

  /** @throws the failure's error when there were too many */
  #countRestart(session: UploadSession, failure: UploadFailure, advice: Advice): void {
    const { limit } = this.#work
    const isFirst = this.#furthest === 0
    const isFurther = isFirst || session.sent > this.#furthest * FURTHER + BUFFER_BYTES
    this.#furthest = Math.max(this.#furthest, session.sent)
    this.#restarts++
    const isExcused = advice === 'smaller' || advice === 'chunks' || advice === 'restart-once'
    if (isBreak(failure) && !isFurther) {
      // It broke about there before: what limits may count the bytes of a request or of a connection (rule R55).
      const gotThrough = session.sent - session.acknowledged
      if (limit.refuse(session.requested, false, gotThrough / 2)) limit.freshConnections = true
      else this.#fruitlessRestarts++
    } else if (!isBreak(failure) && !isExcused) this.#fruitlessRestarts++
    if (this.#fruitlessRestarts > MAXIMUM_FRUITLESS_RESTARTS || this.#restarts > MAXIMUM_RESTARTS) {
      throw failure.error
    }
  }

  #finalError({ error }: UploadFailure, isKept: boolean): RegistryError {
    const hint = 'The registry keeps what was sent: the same command goes on from there'
    return error.with({ attempts: this.#failures, ...(isKept && { hint }) })
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
