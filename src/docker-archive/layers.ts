import { type Readable, Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { compressorVersion } from '../compression/compressor-version.js'
import { decompress } from '../compression/decompress.js'
import type { LayerCompression } from '../compression/layer-compression.js'
import { compressFile, recompress } from '../compression/recompress.js'
import { type Compression, sniffCompression } from '../compression/sniff.js'
import { hashing, type Spool } from '../compression/spool.js'
import type { Chunks } from '../content/chunks.js'
import { countStream } from '../content/count-stream.js'
import { algorithmOf, type Digest, Digester } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import { digestMismatch } from '../content/verify.js'
import type { WeightedLimit } from '../limit.js'
import type { FileSet, FileSetEntry } from '../tar/file-set.js'
import { brokenArchive, DockerArchiveError } from './docker-archive-error.js'
import type { KnownLayer, LayerCache, LayerKey } from './layer-cache.js'

/** A layer whose stored bytes are known, and hold what its diffID says: that was found now, or when they were remembered. */
export interface PreparedLayer {
  digest: Digest
  /** In bytes, as stored. */
  size: number
  compression: 'none' | 'gzip' | 'zstd'
  /** Whether it was remembered: it is compressed, and its content looked at, only if it is opened. */
  isRemembered?: boolean
  /** Whether its stored bytes are in a file that nobody else can write to, and were hashed on their way there. */
  isOwn?: boolean
  open(from?: number): Promise<Readable>
  /** The same, for those who keep no chunk; absent where that costs no less. */
  chunksFrom?(offset?: number): Chunks
}

/** What {@link prepareLayer} works with. */
export interface LayerWork {
  files: FileSet
  spool: Spool
  compression: LayerCompression
  signal: AbortSignal
  /** Knows what layers became in earlier runs. Nothing is remembered when not given. */
  cache?: LayerCache | undefined
  /** {@link prepareLayer} is called within it; what is left for later takes its turn in it. */
  limit: WeightedLimit
  /** Called when the content of the layer has to be read, which takes its time. */
  reads(): void
  /** Takes how many bytes of the archive's file have been read so far. */
  tell(offset: number): void
}

/**
 * Makes a layer of the archive ready to be sent: compresses it if it should be, and checks its content against its
 * diffID on the way (rules R174, R188). The output of the compressor depends on the content alone.
 *
 * @throws DockerArchiveError `missing-layer`; ContentError `digest-mismatch`; CompressionError; what the file set throws
 */
export async function prepareLayer(name: string, diffID: Digest, work: LayerWork): Promise<PreparedLayer> {
  const entry = await work.files.stat(name)
  if (entry === undefined) throw brokenArchive('missing-layer', `layer ${name} is not in ${work.files.label}`)
  const found = sniffCompression(await work.files.read(entry.name, 0, 16))
  const wanted = wantedCompression(found, work.compression)
  const what = `layer ${name} of ${work.files.label}`
  if (wanted === found && work.compression.level === undefined)
    return await keepLayer(entry, found, diffID, what, work)
  const { level } = work.compression
  const spooled = level === undefined && found === 'none' && wanted === 'gzip' ? entry.spooled : undefined
  if (spooled?.gzip !== undefined && algorithmOf(diffID) === algorithmOf(spooled.digest)) {
    checkDiffID(what, diffID, spooled.digest)
    await work.cache?.put(keyOf(diffID, 'gzip', undefined), spooled.gzip)
    return { ...spooled.gzip, compression: 'gzip', isOwn: true }
  }
  const recompression = () => recompressLayer(entry, found, wanted, diffID, what, work)
  if (work.cache === undefined || wanted === 'none') return await recompression()
  const key = keyOf(diffID, wanted, level)
  const known = await work.cache.get(key)
  if (known !== undefined) {
    const later = () => work.limit.run(1, recompression)
    return remembered(known, key, wanted, later, what, work.cache)
  }
  const recompressed = await recompression()
  await work.cache.put(key, recompressed)
  return recompressed
}

function keyOf(diffID: Digest, algorithm: 'gzip' | 'zstd', level: number | undefined): LayerKey {
  return { diffID, compressor: compressorVersion(algorithm, level) }
}

/** A layer that need not be compressed to be named. Where its bytes are asked for, it is, and has to become what was named. */
function remembered(
  known: KnownLayer,
  key: LayerKey,
  compression: 'gzip' | 'zstd',
  recompression: () => Promise<PreparedLayer>,
  what: string,
  cache: LayerCache,
): PreparedLayer {
  let made: Promise<PreparedLayer> | undefined
  const make = async () => {
    const recompressed = await recompression()
    if (recompressed.digest === known.digest) return recompressed
    await cache.remove(key)
    throw new DockerArchiveError(`${what} was remembered as ${known.digest}, and is ${recompressed.digest}`, {
      kind: 'failed',
      code: 'wrong-layer-cache',
      hint: 'Run it again: what was remembered is removed',
    })
  }
  return {
    ...known,
    compression,
    isRemembered: true,
    open: async from => {
      made ??= make()
      return await (await made).open(from)
    },
  }
}

function wantedCompression(found: Compression, { algorithm }: LayerCompression): 'none' | 'gzip' | 'zstd' {
  if (algorithm === 'none' || algorithm === 'gzip' || algorithm === 'zstd') return algorithm
  if (found === 'zstd' || found === 'gzip') return found
  // No registry knows layers of the other kinds, such as xz: they become gzip whatever was asked.
  return found === 'none' && algorithm === 'keep' ? 'none' : 'gzip'
}

async function keepLayer(
  entry: FileSetEntry,
  compression: 'none' | 'gzip' | 'zstd',
  diffID: Digest,
  what: string,
  work: LayerWork,
): Promise<PreparedLayer> {
  work.reads()
  const stored = new Digester()
  const plain = new Digester(algorithmOf(diffID))
  const input = joinStreams(await work.files.open(entry.name), hashing(stored, work.tell))
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      plain.update(chunk)
      done()
    },
  })
  const content = compression === 'none' ? input : decompress(input, compression, { what })
  await pipeline(content, sink, { signal: work.signal }).finally(() => input.destroy())
  checkDiffID(what, diffID, plain.digest())
  return {
    digest: stored.digest(),
    size: stored.size,
    compression,
    open: from => work.files.open(entry.name, from),
  }
}

async function recompressLayer(
  entry: FileSetEntry,
  found: Compression,
  wanted: 'none' | 'gzip' | 'zstd',
  diffID: Digest,
  what: string,
  work: LayerWork,
): Promise<PreparedLayer> {
  work.reads()
  const plain = new Digester(algorithmOf(diffID))
  const { level } = work.compression
  const { spool, signal, tell } = work
  const file = found === 'none' && wanted === 'gzip' ? entry.access : undefined
  const spooled =
    file !== undefined
      ? await compressFile(file, { level, plain, spool, signal }, tell)
      : await recompress(countStream(await work.files.open(entry.name), 0, tell), {
          from: found,
          to: wanted,
          level,
          plain,
          what,
          spool,
          signal,
        })
  checkDiffID(what, diffID, plain.digest())
  return { ...spooled, compression: wanted, isOwn: true }
}

function checkDiffID(what: string, expected: Digest, found: Digest): void {
  if (found !== expected) throw digestMismatch(`${what}, uncompressed,`, expected, found)
}
