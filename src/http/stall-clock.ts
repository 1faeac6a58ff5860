import { monotonicMs } from '../monotonic-clock.js'

/** How long a connection may stand still when nobody says otherwise (rule R248). */
export const DEFAULT_STALL_TIMEOUT_MS = 60_000
/** A registry may have to move what it was sent before it answers; so fast at least. */
const SERVER_BYTES_PER_SECOND = 10_000_000
/** The longest time that a timer of Node's takes. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** What is waited for: that the connection takes bytes of the request's body, that an answer begins, or its bytes. */
export type StallPhase = 'sending' | 'answer' | 'receiving'

const WORDS: Record<StallPhase, string> = {
  sending: 'the connection took nothing',
  answer: 'no answer came',
  receiving: 'nothing came',
}

/** A connection stood still for too long, and was closed. Its message continues `failed: `. */
export class StallError extends Error {
  readonly code = 'STALLED'
  readonly phase: StallPhase

  constructor(phase: StallPhase, limitMs: number) {
    super(`${WORDS[phase]} for ${secondsOf(limitMs)} s`)
    this.phase = phase
  }
}

/**
 * The clock of one exchange (rule R248). It runs only while we wait for the network: not while the source of a body has
 * nothing to send, nor while the reader of an answer is busy. There is no limit to the whole time.
 */
export class StallClock {
  readonly #timeoutMs: number
  #phase: StallPhase | undefined
  #limitMs = 0
  #since = 0
  #timer: NodeJS.Timeout | undefined
  #abort: ((error: StallError) => void) | undefined
  #isAnswered = false
  #tellEnd = () => {}
  /** Resolves when the exchange is over: what it was answered has come, or it failed after it had a connection. */
  readonly ended = new Promise<void>(resolve => {
    this.#tellEnd = resolve
  })

  /** @param timeoutMs for each wait; 0 for as long as it takes */
  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs
  }

  /** The exchange has its connection: from now on this ends it when the time is up. */
  begin(abort: (error: StallError) => void): void {
    this.#abort = abort
  }

  /** How long to wait for an answer once everything is sent, where the server has so many bytes to move first. */
  answerLimitMs(movedBytes: number): number {
    return this.#timeoutMs + Math.ceil((movedBytes / SERVER_BYTES_PER_SECOND) * 1000)
  }

  /** Starts to wait, or to wait anew since something moved. */
  wait(phase: StallPhase, limitMs = this.#timeoutMs): void {
    // An answer may come before the whole body was sent. What becomes of that is of no interest then.
    if (phase === 'receiving') this.#isAnswered = true
    else if (this.#isAnswered) return
    if (this.#timeoutMs === 0) return
    this.#phase = phase
    this.#limitMs = limitMs
    this.#since = monotonicMs()
    this.#timer ??= this.#start(limitMs)
  }

  /** Nothing is waited for. Before an answer came, this is about the request. */
  rest(phase: StallPhase): void {
    if (this.#isAnswered === (phase === 'receiving')) this.#phase = undefined
  }

  /** The exchange is over. */
  end(): void {
    this.#phase = undefined
    this.#abort = undefined
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#tellEnd()
  }

  #start(delayMs: number): NodeJS.Timeout {
    // What came while the process was busy is in the socket: it is read before this counts as silence.
    const look = () => setImmediate(() => this.#look())
    return setTimeout(look, Math.min(Math.ceil(delayMs), LONGEST_TIMER_MS)).unref()
  }

  #look(): void {
    this.#timer = undefined
    if (this.#phase === undefined) return
    const leftMs = this.#since + this.#limitMs - monotonicMs()
    if (leftMs > 0) this.#timer = this.#start(leftMs)
    else this.#abort?.(new StallError(this.#phase, this.#limitMs))
  }
}

function secondsOf(milliseconds: number): number {
  return milliseconds < 1000 ? milliseconds / 1000 : Math.round(milliseconds / 1000)
}
