import type { OnReadOpts, Socket } from 'node:net'

/** What a socket may give at once. By itself Node takes 64 KiB, in memory that it has cleared first. */
const SLAB_BYTES = 256 * 1024
/** A slab with less room than this is given up. */
const LEAST_ROOM_BYTES = 64 * 1024

/**
 * Where sockets put what they read: one piece of memory after another, none used twice, so that what was read is the reader's
 * for good. Many small answers share a slab, and the bytes of a large blob come in few large pieces, which costs about half
 * of what it takes otherwise. One for all connections of a pool.
 *
 * @returns the option `onread` of `net.connect` and `tls.connect`, with which a socket is still read as a stream
 */
export function readIntoSlabs(): OnReadOpts {
  let rest: Buffer | undefined
  return {
    buffer() {
      const room = rest ?? Buffer.allocUnsafeSlow(SLAB_BYTES)
      rest = undefined
      return room
    },
    /** Node asks for the next buffer right after this. */
    callback(this: Socket, length: number, bytes: Uint8Array) {
      const { buffer, byteOffset } = bytes
      const left = bytes.length - length
      rest = left < LEAST_ROOM_BYTES ? undefined : Buffer.from(buffer, byteOffset + length, left)
      return this.push(Buffer.from(buffer, byteOffset, length))
    },
  }
}
