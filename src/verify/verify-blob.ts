import { type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { peek } from '../archive/peek.js'
import { CompressionError } from '../compression/compression-error.js'
import { decompress } from '../compression/decompress.js'
import { SNIFF_LENGTH, sniffCompression } from '../compression/sniff.js'
import type { Descriptor } from '../content/descriptor.js'
import { type Digest, type DigestAlgorithm, Digester } from '../content/digest.js'
import type { Context, Source, Store } from '../content/store.js'
import { sizeMismatch, verifyStream } from '../content/verify.js'
import { RegctlError } from '../errors.js'
import { RegistryError } from '../registry/registry-error.js'

/** What was found out of a blob. */
export interface BlobCheck {
  /** What is wrong; absent when nothing is. */
  problem?: RegctlError
  /** The digest of its uncompressed bytes, where that was asked for. */
  diffID?: Digest
  /** The registry says neither yes nor no (rule R31). */
  isUnknown?: boolean
}

/**
 * Whether a blob is there with its size: by HEAD in a registry, by the file's size elsewhere. Nothing is read of it.
 *
 * @throws RegctlError that says nothing of the blob: `network`, `denied`, `interrupted`
 */
export async function checkPresence(
  source: Source,
  descriptor: Descriptor,
  context: Context,
): Promise<BlobCheck> {
  const { statBlob } = source as Partial<Store>
  const what = `blob ${descriptor.digest} of ${source.label}`
  return await problemOf(async () => {
    if (statBlob === undefined) {
      const stream = await source.openBlob(descriptor, context)
      stream.on('error', () => {}).destroy()
      return {}
    }
    try {
      const size = await statBlob.call(source, descriptor.digest, context)
      if (size === undefined) throw missingBlob(what)
      if (size !== descriptor.size) throw sizeMismatch(what, descriptor.size, `${size}`)
      return {}
    } catch (error) {
      // It is there, but of what size isn't said.
      if (error instanceof RegistryError && error.status === 200) return { isUnknown: true }
      throw error
    }
  })
}

/**
 * Reads a blob to its end and checks size and digest.
 *
 * @param plain also decompress it, and hash what comes out with this algorithm
 * @throws as {@link checkPresence}
 */
export async function checkContent(
  source: Source,
  descriptor: Descriptor,
  context: Context,
  plain?: DigestAlgorithm,
): Promise<BlobCheck> {
  const what = `blob ${descriptor.digest} of ${source.label}`
  const open = async () => verifyStream(await source.openBlob(descriptor, context), descriptor, what)
  return await problemOf(async () => {
    if (plain === undefined) {
      await hash(await open(), new Digester(), context)
      return {}
    }
    const digester = new Digester(plain)
    try {
      const { head, whole } = await peek(await open(), SNIFF_LENGTH)
      await hash(decompress(whole, sniffCompression(head), { what }), digester, context)
      return { diffID: digester.digest() }
    } catch (error) {
      if (!(error instanceof CompressionError)) throw error
      // A flipped bit stops the decompressor before the digest is known, and the digest is what counts.
      await hash(await open(), new Digester(), context)
      throw error
    }
  })
}

async function hash(input: Readable, digester: Digester, context: Context): Promise<void> {
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      digester.update(chunk)
      done()
    },
  })
  await pipeline(input, sink, { signal: context.signal })
}

async function problemOf(check: () => Promise<BlobCheck>): Promise<BlobCheck> {
  try {
    return await check()
  } catch (error) {
    if (isAboutContent(error)) return { problem: error }
    throw error
  }
}

/** Whether an error says that some content is missing or wrong, rather than that we could not look. */
export function isAboutContent(error: unknown): error is RegctlError {
  return error instanceof RegctlError && (error.kind === 'not-found' || error.kind === 'corrupt')
}

/** Whether an error says that something isn't there. */
export function isMissing(error: RegctlError): boolean {
  return (
    error.kind === 'not-found' || ['missing-blob', 'missing-layer', 'missing-manifest'].includes(error.code)
  )
}

function missingBlob(what: string): RegctlError {
  return new RegctlError(`${what} is missing`, { kind: 'not-found', code: 'missing-blob' })
}
