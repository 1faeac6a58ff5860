import { type Readable, Transform } from 'node:stream'
import { ContentError } from './content-error.js'
import { algorithmOf, type Digest, Digester, digestOf, shortDigest } from './digest.js'
import { joinStreams } from './join-streams.js'

/** What bytes must turn out to be. A descriptor is one. */
export interface Expected {
  digest: Digest
  size: number
}

/** Checks size and digest of bytes that come one piece after another (rules R205, R207). */
export class Verifier {
  readonly #expected: Expected
  readonly #what: string
  readonly #digester: Digester

  /** @param what for the message: `blob sha256:… from image.tar` */
  constructor(expected: Expected, what: string) {
    this.#expected = expected
    this.#what = what
    this.#digester = new Digester(algorithmOf(expected.digest))
  }

  /** @throws ContentError `size-mismatch` at the first byte beyond the size */
  update(piece: Uint8Array): void {
    this.#digester.update(piece)
    refuseMore(this.#expected, this.#digester.size, this.#what)
  }

  /** To be called after the last piece, once. @throws ContentError `size-mismatch` or `digest-mismatch` */
  end(): void {
    refuseOtherSize(this.#expected, this.#digester.size, this.#what)
    refuseOtherDigest(this.#expected, this.#digester.digest(), this.#what)
  }

  /** The error for pieces that stop without an end. */
  broken(): ContentError {
    return sizeMismatch(this.#what, this.#expected.size, `only ${this.#digester.size}`)
  }
}

/** @param found how many bytes came so far @throws ContentError `size-mismatch` at the first byte beyond the size */
export function refuseMore({ size }: Expected, found: number, what: string): void {
  if (found > size) throw sizeMismatch(what, size, `at least ${found}`)
}

/** @param found how many bytes came in all @throws ContentError `size-mismatch` */
export function refuseOtherSize({ size }: Expected, found: number, what: string): void {
  if (found !== size) throw sizeMismatch(what, size, `${found}`)
}

/** @throws ContentError `digest-mismatch` */
export function refuseOtherDigest({ digest }: Expected, found: Digest, what: string): void {
  if (found !== digest) throw digestMismatch(what, digest, found)
}

/**
 * Checks size and digest of a stream as it passes. The last bytes are held back until they are known to be right, so
 * whoever reads to the end without an error has the right content (rules R205, R207). A stream that is longer than
 * its size fails at the first byte beyond.
 *
 * @param what for the message: `blob sha256:… from image.tar`
 * @returns a stream that owns `input`: destroying it destroys `input`
 * @throws (as the stream's error) ContentError `size-mismatch` or `digest-mismatch`
 */
export function verifyStream(input: Readable, expected: Expected, what: string): Readable {
  const verifier = new Verifier(expected, what)
  let held: Buffer | undefined
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      const failure = failureOf(() => verifier.update(chunk))
      const previous = held
      held = chunk
      if (failure !== undefined || previous === undefined) done(failure)
      else done(null, previous)
    },
    flush(done) {
      const failure = failureOf(() => verifier.end())
      if (failure === undefined) done(null, held)
      else done(failure)
    },
  })
  // A stream that was destroyed without an error ends neither well nor badly: whoever reads would wait for ever.
  input.once('close', () => {
    if (!input.readableEnded) check.destroy(verifier.broken())
  })
  return joinStreams(input, check)
}

function failureOf(check: () => void): Error | undefined {
  try {
    check()
    return undefined
  } catch (error) {
    return error as Error
  }
}

/**
 * Checks bytes in memory as {@link verifyStream} does.
 *
 * @throws ContentError `size-mismatch` or `digest-mismatch`
 */
export function verifyBytes(bytes: Uint8Array, expected: Expected, what: string): void {
  refuseOtherSize(expected, bytes.length, what)
  refuseOtherDigest(expected, digestOf(bytes, algorithmOf(expected.digest)), what)
}

/**
 * Reads to the end into memory. What is given may use its memory again for the next chunk.
 *
 * @param limitBytes the most that is taken; named for the message, since whatever is parsed in memory has a cap
 * @throws ContentError `too-large` as soon as there is more
 */
export async function readLimited(
  input: AsyncIterable<Buffer>,
  limitBytes: number,
  what: string,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input) {
    size += chunk.length
    if (size > limitBytes) {
      throw new ContentError(`${what} is larger than the ${limitBytes} bytes that are read of it`, {
        kind: 'corrupt',
        code: 'too-large',
      })
    }
    chunks.push(Buffer.from(chunk))
  }
  return Buffer.concat(chunks, size)
}

/** Whether an error says that content is not what its descriptor says. */
export function isMismatch(error: unknown): error is ContentError {
  return error instanceof ContentError && (error.code === 'size-mismatch' || error.code === 'digest-mismatch')
}

/** The error for content that does not have its size. */
export function sizeMismatch(what: string, expected: number, found: string): ContentError {
  return new ContentError(`${what} should have ${expected} bytes but has ${found}`, {
    kind: 'corrupt',
    code: 'size-mismatch',
  })
}

/** The error for content that does not have its digest. */
export function digestMismatch(what: string, expected: Digest, found: Digest): ContentError {
  return new ContentError(
    `${what} should have the digest ${expected} but has ${algorithmOf(found)}:${shortDigest(found)}…`,
    { kind: 'corrupt', code: 'digest-mismatch' },
  )
}
