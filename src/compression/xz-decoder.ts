import { createHash } from 'node:crypto'
import { ReadableStream } from 'node:stream/web'
import { InputEnded } from './compression-error.js'
import { withKnownChecks } from './xz-frames.js'

/** How the decoder says that its input ended too early (XZ_BUF_ERROR of xz-embedded). */
const ENDED = 'error code 8'

/** All streams and blocks, each against its check. */
export async function* xzDecoder(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import('xz-decompress')
  const checks = new BlockChecks()
  const frames = withKnownChecks(input, (size, sha256) => checks.expect(size, sha256))
  const source = webStream(frames)
  try {
    for await (const chunk of new xz.XzReadableStream(source) as AsyncIterable<Uint8Array>) {
      checks.update(chunk)
      yield chunk
    }
  } catch (error) {
    if (error instanceof Error && error.message.includes(ENDED)) throw new InputEnded('xz', { cause: error })
    throw error
  }
  checks.finish()
}

/** `Readable.toWeb` would do, but brings the process down where the decoder gives up before the end (ERR_INVALID_STATE). */
function webStream(chunks: AsyncGenerator<Buffer>): ReadableStream<Uint8Array> {
  return new ReadableStream({
    async pull(controller) {
      const next = await chunks.next()
      if (next.done === true) controller.close()
      else controller.enqueue(next.value)
    },
    async cancel() {
      await chunks.return(undefined)
    },
  })
}

/**
 * Compares the output with the SHA-256 of each block. A block's end is announced after its input was read, which is
 * before the first byte of the next block comes out.
 */
class BlockChecks {
  readonly #ends: { offset: number; sha256: Buffer | undefined }[] = []
  #announced = 0
  #position = 0
  #hash = createHash('sha256')

  expect(size: number, sha256: Buffer | undefined): void {
    this.#announced += size
    this.#ends.push({ offset: this.#announced, sha256 })
  }

  update(chunk: Uint8Array): void {
    let rest = chunk
    for (let end = this.#ends[0]; end !== undefined; end = this.#ends[0]) {
      const left = end.offset - this.#position
      if (left > rest.length) break
      this.#take(rest.subarray(0, left))
      rest = rest.subarray(left)
      const found = this.#hash.digest()
      if (end.sha256 !== undefined && !found.equals(end.sha256))
        throw new Error('a block has another SHA-256')
      this.#hash = createHash('sha256')
      this.#ends.shift()
    }
    this.#take(rest)
  }

  /** After the last chunk, for a block whose end was announced after its output. */
  finish(): void {
    this.update(new Uint8Array())
  }

  #take(bytes: Uint8Array): void {
    this.#hash.update(bytes)
    this.#position += bytes.length
  }
}
