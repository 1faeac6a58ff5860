import { type Advice, isBreak, type UploadFailure } from './upload-failure.js'
import type { UploadLimit } from './upload-limits.js'
import type { UploadSession } from './upload-session.js'

/** How often a blob is begun anew at most without getting further than before (rule R241), and altogether. */
const MAXIMUM_FRUITLESS_RESTARTS = 3
const MAXIMUM_RESTARTS = 10
/** After so many breaks in a row without a byte in between, an upload fails. */
const MAXIMUM_BREAKS = 5
/** After so many refused offsets in a row, an upload begins anew (rule R241). */
const MAXIMUM_RANGE_REFUSALS = 2
/** Less more than this is not further: how much of what was sent got through, and what stayed in buffers, is not known. */
const FURTHER = 1.1
const BUFFER_BYTES = 4 * 1024 * 1024

/** What follows from what the registry said, and not from its being in trouble: it says nothing against another try. */
const EXPLAINED: ReadonlySet<Advice> = new Set(['smaller', 'chunks', 'restart-once'])

/**
 * Keeps count of what goes wrong with one blob, and decides what is still tried. What moves on is never given up; what does
 * not is tried with less at once before that (rule R55).
 */
export class UploadPatience {
  /** How often bytes were sent and something went wrong. */
  failures = 0
  readonly #limit: UploadLimit
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

  constructor(limit: UploadLimit) {
    this.#limit = limit
  }

  /** Counts a failure. Returns what to do by the advice for it, with what was tried before. */
  heed(advice: Advice, session: UploadSession, { answer }: UploadFailure): Advice {
    this.failures++
    const isRangeRefused = answer?.response.status === 416
    this.#rangeRefusals = isRangeRefused ? this.#rangeRefusals + 1 : 0
    if (isRangeRefused) return this.#rangeRefusals < MAXIMUM_RANGE_REFUSALS ? advice : 'restart'
    if (advice === 'smaller') return this.#limit.refuse(session.requested, true) ? advice : 'fail'
    if (advice === 'chunks') return this.#limit.wantChunks() ? advice : 'fail'
    if (advice !== 'restart-once') return advice
    const isSecond = this.#hadWrongDigest
    this.#hadWrongDigest = true
    return isSecond ? 'fail' : advice
  }

  /** How often in a row it was of no use, this time included; undefined when there is nothing to wait for. */
  waitsBefore(advice: Advice, { answer }: UploadFailure): number | undefined {
    if (EXPLAINED.has(advice) || answer?.response.status === 416) return undefined
    return Math.max(this.#breaks, this.#fruitlessRestarts) + 1
  }

  /** Whether to go on with an upload at an offset. */
  mayGoOn(session: UploadSession, offset: number, failure: UploadFailure, advice: Advice): boolean {
    const hasMoved = offset > this.#resumedAt || advice !== 'look'
    this.#breaks = hasMoved ? 0 : this.#breaks + 1
    this.#resumedAt = offset
    // Nothing got through, twice: perhaps because it is too much at once.
    const isStuck = isBreak(failure) && this.#breaks >= 2
    if (isStuck && this.#limit.refuse(session.requested, false)) this.#breaks = 1
    return this.#breaks < MAXIMUM_BREAKS
  }

  /** Whether to begin anew after an upload that can't go on. */
  mayRestart(session: UploadSession, failure: UploadFailure, advice: Advice): boolean {
    const isFirst = this.#furthest === 0
    const isFurther = isFirst || session.sent > this.#furthest * FURTHER + BUFFER_BYTES
    this.#furthest = Math.max(this.#furthest, session.sent)
    this.#restarts++
    if (isBreak(failure) && !isFurther) {
      // It broke about there before: what limits may count the bytes of a request or of a connection.
      const gotThrough = session.sent - session.acknowledged
      if (this.#limit.refuse(session.requested, false, gotThrough / 2)) this.#limit.freshConnections = true
      else this.#fruitlessRestarts++
    } else if (!isBreak(failure) && !EXPLAINED.has(advice)) this.#fruitlessRestarts++
    return this.#fruitlessRestarts <= MAXIMUM_FRUITLESS_RESTARTS && this.#restarts <= MAXIMUM_RESTARTS
  }

  /** A new upload begins, or one that an earlier run left goes on at an offset. */
  begin(offset = 0): void {
    this.#resumedAt = offset
    this.#breaks = 0
    this.#rangeRefusals = 0
  }
}
