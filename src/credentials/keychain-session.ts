import { type ChildProcess, spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { isObject } from '../content/manifest.js'
import { keychainFailure, keychainLocked, noKeychain } from './keychain-errors.js'
import type { KeychainAnswer, KeychainRequest } from './keychain-worker.js'

/** The system may have to start its keychain first, which may be busy with others. */
const OPEN_LIMIT_MS = 30_000
/** A human may have to unlock it (as rule R137 has it for helpers). */
const REQUEST_LIMIT_MS = 30_000

/** How to speak to the keychain. */
export interface SessionOptions {
  /** For messages. */
  label: string
  platform: NodeJS.Platform
  environment: NodeJS.ProcessEnv
  /** The program that speaks to the keychain. */
  worker: URL
  openLimitMs?: number | undefined
  requestLimitMs?: number | undefined
}

/** A process that speaks to the keychain. It ends with ours, and doesn't keep ours from ending. */
export class KeychainSession {
  readonly #options: SessionOptions
  readonly #process: ChildProcess & { stdin: Writable; stdout: Readable }
  readonly #answers: AsyncIterator<string>
  /** One request at a time. */
  #last: Promise<unknown> = Promise.resolve()

  private constructor(options: SessionOptions) {
    this.#options = options
    this.#process = spawn(process.execPath, [fileURLToPath(options.worker)], {
      env: options.environment,
      stdio: ['pipe', 'pipe', 'ignore'],
      windowsHide: true,
    })
    this.#process.stdin.on('error', () => {
      // It ended; that it answers nothing tells.
    })
    this.#process.on('error', () => {
      // It did not start, which tells in the same way.
    })
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    endWithUs(this.#process)
  }

  /**
   * Starts a session.
   *
   * @throws CredentialError `no-keychain`
   */
  static async open(options: SessionOptions): Promise<KeychainSession> {
    const session = new KeychainSession(options)
    const answer = await session.#receive(options.openLimitMs ?? OPEN_LIMIT_MS)
    if (answer !== undefined && 'value' in answer) return session
    session.#process.kill('SIGKILL')
    throw noKeychain(describeMissing(answer, options.label), options.platform)
  }

  /**
   * Sends a request and waits for what comes of it.
   *
   * @throws CredentialError `keychain-locked`, `keychain-failed`
   */
  async request(request: KeychainRequest): Promise<unknown> {
    const answered = this.#last.then(() => this.#ask(request))
    this.#last = answered.catch(() => {})
    return await answered
  }

  async #ask(request: KeychainRequest): Promise<unknown> {
    const { label, requestLimitMs = REQUEST_LIMIT_MS } = this.#options
    this.#process.stdin.write(`${JSON.stringify(request)}\n`)
    const answer = await this.#receive(requestLimitMs)
    if (answer === undefined) {
      this.#process.kill('SIGKILL')
      throw keychainLocked(label, `and nobody unlocked it within ${requestLimitMs / 1000} s`)
    }
    if ('value' in answer) return answer.value
    throw keychainFailure(label, answer.problem)
  }

  /** @returns undefined when nothing came within the limit */
  async #receive(limitMs: number): Promise<KeychainAnswer | undefined> {
    this.#holdOpen(true)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<undefined>(resolve => {
      timer = setTimeout(() => resolve(undefined), limitMs)
    })
    try {
      const line = await Promise.race([this.#answers.next(), late])
      return line === undefined ? undefined : parseAnswer(line.done === true ? '' : line.value)
    } finally {
      clearTimeout(timer)
      this.#holdOpen(false)
    }
  }

  /** Whether our process stays alive for this one: only while there is something to wait for. */
  #holdOpen(hold: boolean): void {
    for (const handle of [this.#process, this.#process.stdin, this.#process.stdout]) {
      const { ref, unref } = handle as Partial<ChildProcess>
      if (hold) ref?.call(handle)
      else unref?.call(handle)
    }
  }
}

/** A prompt that stands would keep the process from seeing that its input ended. */
function endWithUs(child: ChildProcess): void {
  if (running.size === 0) process.on('exit', endAll)
  running.add(child)
  child.once('close', () => {
    running.delete(child)
    if (running.size === 0) process.removeListener('exit', endAll)
  })
}

const running = new Set<ChildProcess>()

function endAll(): void {
  for (const child of running) child.kill('SIGKILL')
}

function describeMissing(answer: KeychainAnswer | undefined, label: string): string {
  if (answer === undefined || !('problem' in answer)) return `${label} does not answer`
  if (answer.stage !== 'load') return answer.problem.replace(/^Platform failure: /, '')
  return `@napi-rs/keyring has no build for ${process.platform}-${process.arch}, or it is not installed`
}

function parseAnswer(line: string): KeychainAnswer {
  try {
    const answer: unknown = JSON.parse(line)
    if (isObject(answer) && 'value' in answer) return { value: answer.value }
    if (isObject(answer) && typeof answer.problem === 'string')
      return { problem: answer.problem, stage: answer.stage === 'load' ? 'load' : 'request' }
  } catch {
    // Not from our program.
  }
  return { problem: 'the process that speaks to it ended', stage: 'request' }
}
