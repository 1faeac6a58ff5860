import type { Readable } from 'node:stream'
import type { Descriptor } from './descriptor.js'
import type { RandomAccess } from './random-access.js'
import type { Context, Source } from './store.js'
import { type Expected, Verifier } from './verify.js'

/**
 * Bytes, one chunk after another. **A chunk is valid until the next one is asked for**: its memory is used again then, so
 * whoever keeps one copies it. Nothing is opened before the first is asked for, and leaving the loop closes what is open.
 */
export type Chunks = AsyncIterable<Buffer>

/** Large enough that a call costs little, and small enough to stay in the processor's cache. */
const CHUNK_BYTES = 512 * 1024
/** How long chunks are that are cut as their reader wishes. */
export const CUT_BYTES = 1024 * 1024

/** Reads what lies on a disk: one chunk while the one before is worked on, in two pieces of memory. */
export async function* chunksOf(access: RandomAccess, from = 0): AsyncGenerator<Buffer, void, undefined> {
  const left = access.size - from
  if (left <= 0) return
  const memory = [0, CHUNK_BYTES]
    .filter(start => start < left)
    .map(start => Buffer.allocUnsafeSlow(Math.min(CHUNK_BYTES, left - start)))
  const read = async (number: number): Promise<Buffer> => {
    const offset = from + number * CHUNK_BYTES
    const into = memory[number % 2]?.subarray(0, access.size - offset) ?? Buffer.alloc(0)
    await access.readInto(into, offset)
    return into
  }
  const count = Math.ceil(left / CHUNK_BYTES)
  let next = read(0)
  try {
    for (let number = 0; number < count; number++) {
      const chunk = await next
      if (number + 1 < count) next = read(number + 1)
      // Somebody may look at it late.
      next.catch(() => {})
      yield chunk
    }
  } finally {
    // The file is closed after this.
    await next.catch(() => {})
  }
}

/** The bytes of a blob, as {@link Source.blobChunks} gives them, also of a source that has streams alone. Throws what {@link Source.openBlob} does. */
export function blobChunksOf(
  source: Pick<Source, 'openBlob' | 'blobChunks'>,
  descriptor: Descriptor,
  context: Context,
  from = 0,
  cut?: number,
): Chunks {
  return (
    source.blobChunks?.(descriptor, context, from, cut) ??
    chunksOfStream(() => source.openBlob(descriptor, context, from))
  )
}

/** What a stream gives is valid for longer than is asked for here. */
async function* chunksOfStream(open: () => Promise<Readable>): AsyncGenerator<Buffer, void, undefined> {
  yield* await open()
}

/** The same bytes in memory of their own: these chunks are their reader's for good, as a stream's are. */
export async function* copiesOf(chunks: Chunks): AsyncGenerator<Buffer, void, undefined> {
  for await (const chunk of chunks) yield Buffer.from(chunk)
}

/**
 * Checks size and digest of chunks as they pass, as `verifyStream` does: the last is held back until all are known to be
 * right (rules R205, R207).
 *
 * @param what for the message: `blob sha256:… from image.tar`
 * @throws ContentError `size-mismatch` or `digest-mismatch`; what the chunks end with
 */
export async function* verifyChunks(
  chunks: Chunks,
  expected: Expected,
  what: string,
): AsyncGenerator<Buffer, void, undefined> {
  const verifier = new Verifier(expected, what)
  let left = expected.size
  let last: Buffer | undefined
  for await (const chunk of chunks) {
    verifier.update(chunk)
    left -= chunk.length
    if (left > 0) yield chunk
    // What comes after it, if anything does, comes into the same memory.
    else last ??= Buffer.from(chunk)
  }
  verifier.end()
  if (last !== undefined) yield last
}

/** Tells the absolute offset, counted from `from`, as each chunk passes. */
export async function* countChunks(
  chunks: Chunks,
  from: number,
  tell: (offset: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  let offset = from
  for await (const chunk of chunks) {
    offset += chunk.length
    tell(offset)
    yield chunk
  }
}
