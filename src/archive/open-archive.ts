import { type FileHandle, open, stat } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { decompress } from '../compression/decompress.js'
import { generatedStream } from '../compression/generated-stream.js'
import { sniffCompression } from '../compression/sniff.js'
import { InterruptedError, messageOf, systemCodeOf } from '../errors.js'
import type { FileSet } from '../tar/file-set.js'
import { rangeStream, readRange } from '../tar/range-stream.js'
import { indexTar } from '../tar/tar-index.js'
import { ArchiveError } from './archive-error.js'
import { HEAD_LENGTH, requireTar } from './describe.js'
import { openFolder } from './open-folder.js'
import { type SpoolOptions, spoolTar } from './spool.js'
import { StreamSource } from './stream-source.js'

/** How an archive is opened. */
export interface ArchiveOptions extends SpoolOptions {
  /** Ends the opening; the files that were opened live on without it. */
  signal: AbortSignal
}

/**
 * Opens a local container of files, whatever it is: a folder, a tar, a compressed tar. A plain tar is read in place. A
 * compressed one is decompressed once, in one pass, into a temporary file that goes when the result is disposed.
 *
 * @param path as the user gave it
 * @throws ArchiveError `no-such-file`, `unreadable-file`, `not-an-image` (it is no tar; the message says what it is);
 * TarError and CompressionError for damaged ones; InterruptedError
 * @example
 * await using files = await openArchive('image.tar.gz', { signal })
 */
export async function openArchive(path: string, options: ArchiveOptions): Promise<FileSet> {
  if (options.signal.aborted) throw new InterruptedError()
  const file = await openFile(path)
  if (file === undefined) return await openFolder(path)
  try {
    const { size } = await file.stat()
    const head = await readRange(file, 0, HEAD_LENGTH)
    if (sniffCompression(head) === 'none') {
      requireTar(head, path, undefined)
      return await indexTar(file, size, path, options.signal)
    }
    const files = await openArchiveStream(rangeStream(file, 0, size, path), path, options)
    await file.close()
    return files
  } catch (error) {
    await file.close()
    throw interruptedOr(error, options.signal)
  }
}

/**
 * Opens a tar, of any compression, that comes as a stream: standard input. It is read once, to its end, into a
 * temporary file that goes when the result is disposed.
 *
 * @param input is destroyed when this throws
 * @param label for messages: `standard input`
 * @throws as {@link openArchive}
 */
export async function openArchiveStream(
  input: Readable,
  label: string,
  options: ArchiveOptions,
): Promise<FileSet> {
  const { signal } = options
  const interrupt = () => input.destroy(new InterruptedError())
  if (signal.aborted) interrupt()
  signal.addEventListener('abort', interrupt, { once: true })
  // The error reaches whoever reads; an input that nobody reads yet must not bring the process down.
  input.on('error', () => {})
  try {
    const source = new StreamSource(input)
    const head = await source.peek(HEAD_LENGTH)
    const compression = sniffCompression(head)
    if (compression === 'none') {
      requireTar(head, label, undefined)
      return await spoolTar(source, label, options)
    }
    const compressed = generatedStream(source.rest(), input)
    const plain = new StreamSource(decompress(compressed, compression, { what: label }))
    requireTar(await plain.peek(HEAD_LENGTH), label, compression)
    return await spoolTar(plain, label, options)
  } catch (error) {
    input.destroy()
    throw interruptedOr(error, signal)
  } finally {
    signal.removeEventListener('abort', interrupt)
  }
}

/** Opens a file for reading. Undefined for a folder. A device or a pipe at a path is not waited for. */
async function openFile(path: string): Promise<FileHandle | undefined> {
  try {
    const stats = await stat(path)
    if (stats.isDirectory()) return undefined
    if (!stats.isFile()) throw new Error('it is a device or a pipe; give it as standard input')
    return await open(path, 'r')
  } catch (error) {
    const isMissing = ['ENOENT', 'ENOTDIR'].includes(systemCodeOf(error) ?? '')
    throw new ArchiveError(
      isMissing ? `${path} does not exist` : `cannot read ${path}: ${messageOf(error)}`,
      {
        kind: isMissing ? 'not-found' : 'failed',
        code: isMissing ? 'no-such-file' : 'unreadable-file',
        cause: error,
      },
    )
  }
}

/** What failed because of an interruption is one. */
function interruptedOr(error: unknown, signal: AbortSignal): unknown {
  if (signal.aborted && !(error instanceof InterruptedError)) return new InterruptedError(undefined, error)
  return error
}
