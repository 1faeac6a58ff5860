import { createCipheriv } from 'node:crypto'
import { Readable } from 'node:stream'

const BLOCK = 64 * 1024

/**
 * Bytes that look random, always the same for the same seed, and that compress to about one half.
 * A cipher makes them, since nothing else is fast enough for gigabytes.
 */
export function* randomChunks(seed: number, size: number): Generator<Buffer> {
  const iv = Buffer.alloc(16)
  iv.writeUInt32BE(seed >>> 0)
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 'regctl'), iv)
  const zeros = Buffer.alloc(BLOCK / 2)
  for (let left = size; left > 0; left -= BLOCK) {
    const noise = cipher.update(zeros)
    const block = Buffer.concat([noise, Buffer.alloc(BLOCK / 2, noise.subarray(0, 64))])
    yield left < BLOCK ? block.subarray(0, left) : block
  }
}

/** {@link randomChunks} as a stream, which holds no more than one chunk. */
export function randomStream(seed: number, size: number): Readable {
  return Readable.from(randomChunks(seed, size), { objectMode: false })
}

/** {@link randomChunks} at once. */
export function randomBytes(seed: number, size: number): Buffer {
  return Buffer.concat([...randomChunks(seed, size)])
}
