import type { Readable } from 'node:stream'
import type { Chunks } from './chunks.js'
import type { Digest } from './digest.js'

/** What a pipe's reader knows of a file that it put into its spool. */
export interface SpooledFile {
  /** Digest of the file's own bytes. */
  digest: Digest
  /** Present when the file was compressed into the spool; absent when it lies there as it came. */
  gzip?: SpooledBytes
}

/** What lies in a spool, by the digest and size of its bytes. */
export interface SpooledBytes {
  digest: Digest
  size: number
  /** Opens it from a byte offset on. */
  open(from?: number): Promise<Readable>
  /** The same, for those who keep no chunk. */
  chunksFrom(offset?: number): Chunks
}

/** A file of an archive that comes through a pipe, as it is known while what follows it still comes. */
export interface ArrivedFile extends SpooledFile {
  /** Of the file's own bytes. */
  size: number
  /** The whole of what lies in the spool. */
  read(): Promise<Uint8Array>
}
