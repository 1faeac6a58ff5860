import { type Readable, Transform } from 'node:stream'
import { ContentError } from './content-error.js'
import { algorithmOf, type Digest, Digester, digestOf, shortDigest } from './digest.js'
import { joinStreams } from './join-streams.js'

/** What bytes must turn out to be. A descriptor is one. */
export interface Expected {
  digest: Digest
  size: number
}

/**
 * Checks size and digest of a stream as it passes. The last bytes are held back until they are known to be right, so
 * whoever reads to the end without an error has the right content (rules R205, R207). A stream that is longer than
 * its size fails at the first byte beyond.
 *
 * @param what for the message: `blob sha256:… from image.tar`
 * @param digester has been given the bytes before those of `input`, which is what follows them
 * @returns a stream that owns `input`: destroying it destroys `input`
 * @throws (as the stream's error) ContentError `size-mismatch` or `digest-mismatch`
 */
export function verifyStream(
  input: Readable,
  expected: Expected,
  what: string,
  digester = new Digester(algorithmOf(expected.digest)),
): Readable {
  let held: Buffer | undefined
  const check = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      digester.update(chunk)
      if (digester.size > expected.size) {
        done(sizeMismatch(what, expected.size, `at least ${digester.size}`))
        return
      }
      const previous = held
      held = chunk
      if (previous === undefined) done()
      else done(null, previous)
    },
    flush(done) {
      if (digester.size !== expected.size) {
        done(sizeMismatch(what, expected.size, `${digester.size}`))
        return
      }
      const digest = digester.digest()
      if (digest !== expected.digest) done(digestMismatch(what, expected.digest, digest))
      else done(null, held)
    },
  })
  // A stream that was destroyed without an error ends neither well nor badly: whoever reads would wait for ever.
  input.once('close', () => {
    if (!input.readableEnded) check.destroy(sizeMismatch(what, expected.size, `only ${digester.size}`))
  })
  return joinStreams(input, check)
}

/**
 * Checks bytes in memory as {@link verifyStream} does.
 *
 * @throws ContentError `size-mismatch` or `digest-mismatch`
 */
export function verifyBytes(bytes: Uint8Array, expected: Expected, what: string): void {
  if (bytes.length !== expected.size) throw sizeMismatch(what, expected.size, `${bytes.length}`)
  const digest = digestOf(bytes, algorithmOf(expected.digest))
  if (digest !== expected.digest) throw digestMismatch(what, expected.digest, digest)
}

/**
 * Reads a stream to its end into memory.
 *
 * @param limitBytes the most that is taken; named for the message, since whatever is parsed in memory has a cap
 * @throws ContentError `too-large` as soon as there is more
 */
export async function readLimited(input: Readable, limitBytes: number, what: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of input as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > limitBytes) {
      throw new ContentError(`${what} is larger than the ${limitBytes} bytes that are read of it`, {
        kind: 'corrupt',
        code: 'too-large',
      })
    }
    chunks.push(chunk)
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
