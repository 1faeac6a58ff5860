import { Readable, type Writable } from 'node:stream'
import { gzipStream } from '../compression/gzip.js'
import { hashing } from '../compression/spool.js'
import type { Platform } from '../content/descriptor.js'
import { type Digest, Digester } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import type { Context } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { InterruptedError } from '../errors.js'
import { refuseTerminal, writeOutput } from '../open/output-file.js'
import { openExport } from './open-export.js'

/** What is exported, and where to. */
export interface ExportOptions {
  /** A file or folder in the image, symlinks followed. Default: the whole root file system. */
  path?: string | undefined
  /**
   * The file to write, which appears or is replaced once all is there; its folder is made. A tar is gzip-compressed for a
   * name that ends in `.tar.gz` or `.tgz`. Or a stream, which stays open; it gets nothing before the image was found whole.
   */
  output: string | Writable
}

const TERMINAL_HINT = 'Name a file, or pipe it on: `regctl export IMAGE | tar -t`'

/** What was written. */
export interface ExportResult {
  /** A tar of a folder, or the bytes of one file. */
  kind: 'tar' | 'file'
  /** In bytes, as written. */
  size: number
  /** Of the bytes as written. */
  digest: Digest
  /** How many entries the tar has; undefined for a single file. */
  entries: number | undefined
  /** What the image's config says that it runs on; undefined when it doesn't. */
  platform: Platform | undefined
}

/**
 * Writes the root file system of an image, or one file or folder of it: what `docker export` gives of a fresh container.
 * One image always gives the same bytes.
 *
 * @throws as {@link openExport}; RegctlError `output-is-terminal`, `output-is-folder` (kind `usage`), `interrupted`
 * @example
 * await exportImage({ source, root: '1.0' }, { output: 'rootfs.tar' }, createContext())
 */
export async function exportImage(
  { source, root }: Root,
  { path, output }: ExportOptions,
  context: Context,
): Promise<ExportResult> {
  if (path === undefined) refuseTerminal(output, 'a tar', TERMINAL_HINT)
  try {
    await using opened = await openExport(source, root, path, context)
    if (opened.kind === 'tar') refuseTerminal(output, 'a tar', TERMINAL_HINT)
    const digester = new Digester()
    const isZipped = opened.kind === 'tar' && typeof output === 'string' && /\.(?:tar\.gz|tgz)$/.test(output)
    const open = async () => {
      const chunks = Readable.from(opened.chunks(), { objectMode: false })
      return joinStreams(isZipped ? gzipStream(chunks) : chunks, hashing(digester))
    }
    await writeOutput(output, open, context.signal)
    const { kind, entries, platform } = opened
    const counted = kind === 'tar' ? entries : undefined
    return { kind, size: digester.size, digest: digester.digest(), entries: counted, platform }
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(undefined, error)
    throw error
  }
}
