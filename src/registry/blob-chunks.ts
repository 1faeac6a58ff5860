import type { Readable } from 'node:stream'
import { BodySourceError, headerOf, type RegistryResponse } from './send.js'

const MIB = 1024 * 1024
/**
 * How large the chunks are when a registry, or a proxy in front of it, refuses a blob in one piece: what most registries
 * like, what nginx lets through unless it is told otherwise, and something that always fits (rules R55, R202).
 */
const CHUNK_SIZES = [8 * MIB, MIB, 256 * 1024]
/** A piece is kept in memory; a registry that wants larger ones is not followed that far. */
const MAXIMUM_CHUNK_BYTES = 32 * MIB

/** The next smaller size of chunks to try; undefined when there is none. Undefined as input stands for one piece. */
export function smallerChunks(chunkBytes = Number.POSITIVE_INFINITY): number | undefined {
  return CHUNK_SIZES.find(size => size < chunkBytes)
}

/** The size of chunks with what the registry asked for (distribution-spec, OCI-Chunk-Min-Length; rule R50). */
export function negotiatedChunkBytes(chunkBytes: number, opened: RegistryResponse | undefined): number {
  const numberOf = (name: string) => {
    const text = opened === undefined ? undefined : headerOf(opened, name)
    return text !== undefined && /^\d+$/.test(text) && Number(text) > 0 ? Number(text) : undefined
  }
  const least = Math.min(numberOf('oci-chunk-min-length') ?? 0, MAXIMUM_CHUNK_BYTES)
  const most = numberOf('oci-chunk-max-length') ?? Number.POSITIVE_INFINITY
  return Math.min(Math.max(chunkBytes, least), most)
}

/**
 * Cuts a stream into pieces of one size; the last one may be smaller.
 *
 * @throws BodySourceError when the stream fails
 */
export async function* piecesOf(stream: Readable, pieceBytes: number): AsyncGenerator<Buffer> {
  let parts: Buffer[] = []
  let size = 0
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  try {
    for (;;) {
      const chunk = await nextOf(chunks)
      if (chunk === undefined) break
      let rest = chunk
      while (size + rest.length >= pieceBytes) {
        const room = pieceBytes - size
        yield Buffer.concat([...parts, rest.subarray(0, room)])
        rest = rest.subarray(room)
        parts = []
        size = 0
      }
      if (rest.length > 0) parts.push(rest)
      size += rest.length
    }
    if (size > 0) yield Buffer.concat(parts)
  } finally {
    stream.destroy()
  }
}

async function nextOf(chunks: AsyncIterator<Buffer>): Promise<Buffer | undefined> {
  try {
    const next = await chunks.next()
    return next.done === true ? undefined : next.value
  } catch (error) {
    throw new BodySourceError(error)
  }
}
