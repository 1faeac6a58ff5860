import { Worker } from 'node:worker_threads'
import { type Chunks, CUT_BYTES } from '../content/chunks.js'
import { algorithmOf, parseDigest } from '../content/digest.js'
import { type Expected, refuseMore, refuseOtherDigest, refuseOtherSize } from '../content/verify.js'
import {
  CompressionError,
  corruptCompression,
  InputEnded,
  truncatedCompression,
} from './compression-error.js'
import { INFLATE_MODULE, INFLATE_PAGES } from './inflate-module.js'
import { makeSharedMemory } from './shared-memory.js'

/** What assembly/inflate.ts exports, as far as it is needed here. */
interface InflateExports {
  inputs: { value: number }
  inputSize: { value: number }
  outputs: { value: number }
  outputSize: { value: number }
  inputAt(index: number): number
  outputAt(index: number): number
}

/** What the thread says: an input was used up, an output was filled, or how it ended. */
type Message =
  | { type: 'taken'; index: number }
  | { type: 'filled'; index: number; size: number }
  | { type: 'ended'; reason: 'whole' | 'truncated' | 'corrupt'; detail: string; hex?: string }

/** How a stream is decompressed. */
export interface InflateOptions {
  /** For messages: `layer sha256:…`. */
  what: string
  /** How long the first chunk is to be, if the stream is; at most `CUT_BYTES`, which is the default. */
  first?: number | undefined
  /** What has to come of it. Not checked when not given. */
  expected?: Expected | undefined
}

/**
 * The program of the thread. It takes inputs in turns and fills outputs in turns, all in one memory. As a text, since a file
 * of its own would have to be found again in whatever form the program is packed.
 */
const INFLATE_THREAD = `
const { parentPort, workerData } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { crc32 } = require('node:zlib')
const { memory, module } = workerData
const inflater = new WebAssembly.Instance(module, { env: { memory } }).exports
const bytes = Buffer.from(memory.buffer)
const REASONS = ['', 'header', 'block type', 'stored block', 'codes', 'symbol', 'distance', 'size']
let inputs, isLast, used, output, end, free, start, crc, hash, isDelivered, isRunning = false

function begin({ first, algorithm }) {
  inflater.start(first)
  inputs = []
  isLast = false
  used = undefined
  output = 0
  free = inflater.outputs.value - 1
  start = inflater.outputAt(0)
  end = start + first
  crc = 0
  hash = algorithm && createHash(algorithm)
  isDelivered = false
  isRunning = true
}

/** Takes note of what was made since the last look. */
function check() {
  const made = inflater.output.value
  const last = bytes.subarray(start, made)
  crc = crc32(last, crc)
  hash?.update(last)
  start = made
}

function deliver() {
  if (isDelivered) return
  check()
  isDelivered = true
  // What goes beyond the end is the beginning of the next one.
  const size = Math.min(start, end) - inflater.outputAt(output)
  if (size > 0) parentPort.postMessage({ type: 'filled', index: output, size })
}

function stop(reason, detail = '') {
  isRunning = false
  if (reason === 'whole') deliver()
  const hex = reason === 'whole' ? hash?.digest('hex') : undefined
  parentPort.postMessage({ type: 'ended', reason, detail, hex })
}

function run() {
  while (isRunning) {
    const status = inflater.inflate()
    if (status === 0) {
      if (inputs.length === 0 && isLast) return inflater.isBetween() ? stop('whole') : stop('truncated')
      if (inputs.length === 0) return
      const { index, size } = inputs.shift()
      inflater.useInput(index, size)
      if (used !== undefined) parentPort.postMessage({ type: 'taken', index: used })
      used = index
    } else if (status === 1) {
      deliver()
      if (free === 0) return
      free--
      isDelivered = false
      output = (output + 1) % inflater.outputs.value
      inflater.useOutput(output)
      start = inflater.output.value
      end = inflater.outputAt(output) + inflater.outputSize.value
    } else if (status === 2) {
      check()
      if (crc !== inflater.checksum.value >>> 0) return stop('corrupt', 'checksum')
      crc = 0
    } else if (status === 3) return stop('whole')
    else return stop('corrupt', REASONS[-status])
  }
}

parentPort.on('message', message => {
  if (message.type === 'begin') begin(message)
  else if (message.type === 'input') inputs.push(message)
  else if (message.type === 'last') isLast = true
  else if (message.type === 'free') free++
  run()
})`

let compiled: WebAssembly.Module | undefined

function inflateModule(): WebAssembly.Module {
  compiled ??= new WebAssembly.Module(Buffer.from(INFLATE_MODULE, 'base64'))
  return compiled
}

/** A thread that decompresses one stream of gzip at a time, with its memory. */
export class InflateThread {
  readonly #bytes: Buffer
  readonly #exports: InflateExports
  readonly #worker: Worker
  #freeInputs: number[] = []
  #filled: { index: number; size: number }[] = []
  #ended: Extract<Message, { type: 'ended' }> | undefined
  #failure: { error: unknown } | undefined
  #isLeft = false
  readonly #waiting = new Set<() => void>()

  constructor() {
    const memory = makeSharedMemory(INFLATE_PAGES)
    const module = inflateModule()
    this.#bytes = Buffer.from(memory.buffer)
    this.#exports = new WebAssembly.Instance(module, { env: { memory } }).exports as InflateExports
    this.#worker = new Worker(INFLATE_THREAD, { eval: true, workerData: { memory, module }, execArgv: [] })
    this.#worker.on('message', (message: Message) => this.#receive(message))
    this.#worker.on('error', cause => this.#fail(ended(cause)))
    this.#worker.on('exit', () => this.#fail(ended(undefined)))
    this.#worker.unref()
  }

  /**
   * Decompresses a stream to its very end, as zlib does: several members one after another, whose checksums and sizes are right;
   * zeros after them are padding. One call at a time; after one that did not come to its end the thread is gone.
   *
   * @param input is copied as it comes
   * @returns chunks in the thread's memory, all but the first and the last of `CUT_BYTES`, which begin where a page does
   * @throws CompressionError `corrupt-compression`, `truncated`; ContentError `size-mismatch`, and at the end `digest-mismatch`;
   * what the input throws
   */
  async *inflate(
    input: Chunks,
    { what, first = CUT_BYTES, expected }: InflateOptions,
  ): AsyncGenerator<Buffer, void, undefined> {
    this.#begin(first, expected)
    let size = 0
    const feeding = this.#feed(input).catch(error => this.#fail(error))
    try {
      for (;;) {
        const next = this.#filled.shift()
        if (next !== undefined) {
          const start = this.#exports.outputAt(next.index)
          size += next.size
          if (expected !== undefined) refuseMore(expected, size, `${what}, uncompressed,`)
          yield this.#bytes.subarray(start, start + next.size)
          this.#worker.postMessage({ type: 'free' })
        } else if (this.#failure !== undefined) throw this.#failure.error
        else if (this.#ended !== undefined) break
        else await this.#change()
      }
      const { reason, detail, hex } = this.#ended
      if (reason === 'truncated') throw truncatedCompression(what, 'gzip', new InputEnded())
      if (reason === 'corrupt') throw corruptCompression(what, 'gzip', new Error(`wrong ${detail}`))
      if (expected !== undefined) check(expected, size, hex, `${what}, uncompressed,`)
    } finally {
      if (this.#ended === undefined) this.end()
      this.#isLeft = true
      this.#wake()
      await feeding
      this.#worker.unref()
    }
  }

  /** Whether it can be used again. */
  get isUsable(): boolean {
    return this.#failure === undefined
  }

  end(): void {
    this.#worker.terminate()
    this.#failure ??= { error: ended(undefined) }
  }

  #begin(first: number, expected: Expected | undefined): void {
    this.#freeInputs = Array.from({ length: this.#exports.inputs.value }, (_, index) => index)
    this.#filled = []
    this.#ended = undefined
    this.#isLeft = false
    this.#worker.ref()
    const algorithm = expected && algorithmOf(expected.digest)
    this.#worker.postMessage({ type: 'begin', first, algorithm })
  }

  async #feed(input: Chunks): Promise<void> {
    for await (const chunk of input) {
      for (let done = 0; done < chunk.length; ) {
        while (this.#freeInputs.length === 0 && !this.#isOver) await this.#change()
        const index = this.#freeInputs.shift()
        if (index === undefined || this.#isOver) return
        const size = chunk.copy(this.#inputAt(index), 0, done)
        this.#worker.postMessage({ type: 'input', index, size })
        done += size
      }
    }
    this.#worker.postMessage({ type: 'last' })
  }

  #inputAt(index: number): Buffer {
    const start = this.#exports.inputAt(index)
    return this.#bytes.subarray(start, start + this.#exports.inputSize.value)
  }

  /** Whether no input is wanted any more. */
  get #isOver(): boolean {
    return this.#isLeft || this.#ended !== undefined || this.#failure !== undefined
  }

  #receive(message: Message): void {
    if (message.type === 'taken') this.#freeInputs.push(message.index)
    else if (message.type === 'filled') this.#filled.push(message)
    else this.#ended = message
    this.#wake()
  }

  #fail(error: unknown): void {
    this.#failure ??= { error }
    this.#wake()
  }

  async #change(): Promise<void> {
    await new Promise<void>(resolve => this.#waiting.add(resolve))
  }

  #wake(): void {
    for (const resolve of this.#waiting) resolve()
    this.#waiting.clear()
  }
}

/** Compares what came out with what had to; the thread has hashed it while it was in the processor's cache. */
function check(expected: Expected, size: number, hex: string | undefined, what: string): void {
  refuseOtherSize(expected, size, what)
  refuseOtherDigest(expected, parseDigest(`${algorithmOf(expected.digest)}:${hex}`), what)
}

function ended(cause: unknown): CompressionError {
  return new CompressionError('a thread that decompresses ended early', {
    kind: 'failed',
    code: 'decompressor-failed',
    cause,
  })
}
