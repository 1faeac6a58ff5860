import type { Readable } from 'node:stream'
import { decompress } from '../compression/decompress.js'
import type { OrderedAccess } from '../compression/deflate-block.js'
import { DeflateThreads } from '../compression/deflate-threads.js'
import { generatedStream } from '../compression/generated-stream.js'
import { gzipPieces } from '../compression/gzip.js'
import { sniffCompression } from '../compression/sniff.js'
import { type Digest, Digester } from '../content/digest.js'
import type { ArrivedFile, SpooledFile } from '../content/spooled-file.js'
import type { FileSet } from '../tar/file-set.js'
import { isZeroBlock, looksLikeTar } from '../tar/header.js'
import { contentOf, fillHoles, requireReadable } from '../tar/member-content.js'
import { MemberFileSet } from '../tar/member-file-set.js'
import { MemberTable } from '../tar/member-table.js'
import { endsInside, readMembers, type TarMember } from '../tar/tar-reader.js'
import { SpoolFile, type SpoolRange } from './spool-file.js'
import type { StreamSource } from './stream-source.js'

/** How a stream is spooled. */
export interface SpoolOptions {
  /** Where the temporary file is made. The system's temporary folder if not given. */
  spoolDirectory?: string
  /** The level that plain tars inside are compressed with: that of {@link gzipPieces} if not given. */
  gzipLevel?: number
  /** Is told of each file as soon as it is in the spool, in their order; the next one is read when it returns. */
  arrived?(file: ArrivedFile): Promise<void>
}

/** A member in the spool. */
interface SpooledContent {
  /** Of the member's own bytes. */
  digest: Digest
  size: number
  range: SpoolRange
  /** Present when the range holds the member compressed. */
  gzipDigest?: Digest
  unreadable?: string
}

/** How many bytes tell whether a member is a tar. */
const HEAD_LENGTH = 512

/**
 * Reads a plain tar as it comes, once, to its end, and keeps its regular files in a temporary file. Members that are
 * plain tars themselves, which is what the layers of a docker-archive are, go into it gzip-compressed as they pass, so
 * that the disk never holds them raw; whatever they are compressed to is the same as from a file (rule R187).
 *
 * @param source is read to its end
 * @returns the files, whose entries have `spooled`; disposing them removes the temporary file
 * @throws TarError as {@link readMembers}, ArchiveError `spool-failed`, and what the source throws
 */
export async function spoolTar(
  source: StreamSource,
  label: string,
  options: SpoolOptions = {},
): Promise<FileSet> {
  const spool = await SpoolFile.create(options.spoolDirectory)
  using _threads = DeflateThreads.keep()
  try {
    const table = new MemberTable<SpooledContent>(label, async (one, other) => one.digest === other.digest)
    const writer = new MemberWriter(spool, source, label, options)
    for await (const member of readMembers(source, label)) {
      if (member.type !== 'file') table.add(member.name, { type: member.type, linkName: member.linkName })
      else {
        const content = await writer.write(member)
        table.add(member.name, { type: 'file', content })
        if (content.unreadable === undefined) await options.arrived?.(arrivedFile(spool, content))
      }
    }
    await source.drain()
    return new MemberFileSet(label, table, {
      size(found) {
        requireReadable(label, found.name, found.content)
        return found.content.size
      },
      open: (content, from) => openRaw(spool, content, from, label),
      spooled: content => describeSpooled(spool, content),
      close: () => spool[Symbol.asyncDispose](),
    })
  } catch (error) {
    await spool[Symbol.asyncDispose]()
    throw error
  }
}

/** Puts the members' bytes into the spool as they pass. */
class MemberWriter {
  readonly #spool: SpoolFile
  readonly #source: StreamSource
  readonly #label: string
  readonly #gzip: { level?: number }

  constructor(spool: SpoolFile, source: StreamSource, label: string, options: SpoolOptions) {
    this.#spool = spool
    this.#source = source
    this.#label = label
    this.#gzip = options.gzipLevel === undefined ? {} : { level: options.gzipLevel }
  }

  async write(member: TarMember): Promise<SpooledContent> {
    const { unreadable } = contentOf(member)
    const offset = this.#spool.size
    const raw = new Digester()
    if (unreadable !== undefined) {
      return { digest: raw.digest(), size: 0, range: { offset, size: 0 }, unreadable }
    }
    const isTar = await this.#isPlainTar(member)
    const stored = new Digester()
    const pieces = isTar
      ? gzipPieces(this.#inOrder(member), raw, this.#gzip)
      : hashed(this.#bytes(member), raw)
    for await (const piece of pieces) {
      const appended = this.#spool.append(piece)
      if (isTar) stored.update(piece)
      await appended
    }
    return {
      digest: raw.digest(),
      size: raw.size,
      range: { offset, size: this.#spool.size - offset },
      ...(isTar && { gzipDigest: stored.digest() }),
    }
  }

  /** Whether a member is an uncompressed tar: it starts with a tar header, or with the zeros of an empty tar. */
  async #isPlainTar(member: TarMember): Promise<boolean> {
    if (member.sparse !== undefined || member.storedSize < HEAD_LENGTH) return false
    const head = await this.#source.peek(HEAD_LENGTH)
    return sniffCompression(head) === 'none' && (looksLikeTar(head) || isZeroBlock(head))
  }

  /** A member's bytes, for one who asks for them in their order. */
  #inOrder({ name, storedSize }: TarMember): OrderedAccess {
    return {
      size: storedSize,
      readInto: async (into, _offset, seen) => {
        if ((await this.#source.readInto(into, seen)) < into.length) throw endsInside(this.#label, name)
      },
    }
  }

  #bytes(member: TarMember): AsyncIterable<Buffer> {
    const stored = (_offset: number, size: number) => this.#take(size, member.name)
    if (member.sparse === undefined) return stored(0, member.storedSize)
    return fillHoles(member.sparse.extents, member.sparse.size, 0, stored)
  }

  async *#take(size: number, name: string): AsyncGenerator<Buffer> {
    let taken = 0
    for await (const chunk of this.#source.take(size)) {
      taken += chunk.length
      yield chunk
    }
    if (taken < size) throw endsInside(this.#label, name)
  }
}

async function* hashed(chunks: AsyncIterable<Buffer>, digester: Digester): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    digester.update(chunk)
    yield chunk
  }
}

/** The member's own bytes, uncompressed again where it was compressed into the spool. */
function openRaw(spool: SpoolFile, content: SpooledContent, from: number, label: string): Readable {
  if (content.gzipDigest === undefined) return spool.open(content.range, from)
  const raw = decompress(spool.open(content.range), 'gzip', { what: `a file of ${label}` })
  if (from === 0) return raw
  return generatedStream(dropped(raw, from), raw)
}

async function* dropped(input: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of input as AsyncIterable<Buffer>) {
    if (left < chunk.length) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

function describeSpooled(spool: SpoolFile, content: SpooledContent): SpooledFile {
  const { digest, gzipDigest, range } = content
  if (gzipDigest === undefined) return { digest }
  return {
    digest,
    gzip: {
      digest: gzipDigest,
      size: range.size,
      open: async from => spool.open(range, from),
      chunksFrom: from => spool.chunks(range, from),
    },
  }
}

function arrivedFile(spool: SpoolFile, content: SpooledContent): ArrivedFile {
  return {
    ...describeSpooled(spool, content),
    size: content.size,
    read: () => spool.read(content.range),
  }
}
