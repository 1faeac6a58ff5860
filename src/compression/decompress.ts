import { pipeline, Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'
import {
  CompressionError,
  corruptCompression,
  InputEnded,
  truncatedCompression,
  unsupportedCompression,
} from './compression-error.js'
import { generatedStream } from './generated-stream.js'
import type { Compression } from './sniff.js'

/** How far data may expand before it is refused (rule R226). */
export interface DecompressLimits {
  /** Up to this many bytes of output, any ratio passes. */
  harmlessBytes: number
  /** Beyond, output may be at most this many times the input. */
  ratio: number
}

/** What a decoder turns chunks of input into. */
export type Decoder = (input: AsyncIterable<Buffer>) => AsyncIterable<Uint8Array>

/** Gzip can't expand more than 1032 times, so this never stops gzip; a layer of nothing but zeros passes. */
const DEFAULT_LIMITS: DecompressLimits = { harmlessBytes: 64 * 1024 * 1024, ratio: 1100 }

/**
 * Decompresses a stream to its very end: a checksum that is wrong or missing is an error.
 *
 * @param input is destroyed when the result is
 * @param kind as {@link sniffCompression} found it; `none` gives the input back
 * @param options `what` is for messages: `image.tar.gz`, `layer sha256:…`
 * @throws (as the stream's error) CompressionError `corrupt-compression`, `truncated`, `unsupported-compression`, or
 * `too-large` when it expands more than 1100 times, beyond 64 MiB; errors of the input pass unchanged
 */
export function decompress(
  input: Readable,
  kind: Compression,
  options: { what: string; limits?: DecompressLimits },
): Readable {
  if (kind === 'none') return input
  return generatedStream(decode(input, kind, options.what, options.limits ?? DEFAULT_LIMITS), input)
}

async function* decode(
  input: Readable,
  kind: Exclude<Compression, 'none'>,
  what: string,
  limits: DecompressLimits,
): AsyncGenerator<Uint8Array> {
  const read = { bytes: 0, error: undefined as unknown }
  let written = 0
  try {
    const decoder = await decoderFor(kind, what)
    for await (const chunk of decoder(counted(input, read))) {
      written += chunk.length
      if (written > limits.harmlessBytes && written > read.bytes * limits.ratio) {
        throw tooLarge(what, read.bytes, written)
      }
      if (chunk.length > 0) yield chunk
    }
  } catch (error) {
    throw error === read.error || error instanceof CompressionError ? error : explain(error, kind, what)
  }
}

/** Counts input as it is taken, and remembers its error to tell it from the decoder's. */
async function* counted(input: Readable, read: { bytes: number; error: unknown }): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of input as AsyncIterable<Buffer>) {
      read.bytes += chunk.length
      yield chunk
    }
  } catch (error) {
    read.error = error
    throw error
  }
}

async function decoderFor(kind: Exclude<Compression, 'none'>, what: string): Promise<Decoder> {
  switch (kind) {
    case 'gzip':
      return gunzip
    case 'zstd':
      return (await import('./zstd-decoder.js')).zstdDecoder
    case 'bzip2':
      return (await import('./bzip2-decoder.js')).bzip2Decoder
    case 'xz':
      return (await import('./xz-decoder.js')).xzDecoder
    default:
      throw unsupportedCompression(
        what,
        `is compressed with ${kind}, which cannot be read`,
        `Decompress it first with ${kind}, or compress it with gzip, zstd, xz or bzip2.`,
      )
  }
}

/** All members to the last trailer; zeros after it are padding. */
async function* gunzip(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 256 * 1024 })
  pipeline(Readable.from(input, { objectMode: false }), gunzip, () => {})
  yield* gunzip as AsyncIterable<Buffer>
}

/** A decoder says that its input ended too early, or fails in its own words. */
function explain(error: unknown, kind: string, what: string): CompressionError {
  const code = (error as { code?: unknown }).code
  if (error instanceof InputEnded || code === 'Z_BUF_ERROR') return truncatedCompression(what, kind, error)
  return corruptCompression(what, kind, error)
}

function tooLarge(what: string, read: number, written: number): CompressionError {
  return new CompressionError(
    `${what} expands from ${read} to more than ${written} bytes, which no image does`,
    {
      kind: 'corrupt',
      code: 'too-large',
      hint: 'Decompress it yourself if you trust it.',
    },
  )
}
