import { createWriteStream } from 'node:fs'
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { gzipStream } from './compression/gzip.js'
import { hashing } from './compression/spool.js'
import type { Platform } from './content/descriptor.js'
import { type Digest, Digester } from './content/digest.js'
import { joinStreams } from './content/join-streams.js'
import type { Context } from './content/store.js'
import type { Root } from './copy/derived-source.js'
import { InterruptedError, RegctlError } from './errors.js'
import { openExport } from './export/open-export.js'
import { createExclusive, syncFolder, uniqueName } from './layout/atomic-file.js'

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
  if (path === undefined) refuseTerminal(output)
  try {
    await using opened = await openExport(source, root, path, context)
    if (opened.kind === 'tar') refuseTerminal(output)
    const digester = new Digester()
    const isZipped = opened.kind === 'tar' && typeof output === 'string' && /\.(?:tar\.gz|tgz)$/.test(output)
    const chunks = Readable.from(opened.chunks(), { objectMode: false })
    const plain = isZipped ? gzipStream(chunks) : chunks
    const bytes = joinStreams(plain, hashing(digester))
    if (typeof output === 'string') await writeFile(output, bytes, context.signal)
    else await pipeline(bytes, output, { signal: context.signal, end: false })
    const { kind, entries, platform } = opened
    const counted = kind === 'tar' ? entries : undefined
    return { kind, size: digester.size, digest: digester.digest(), entries: counted, platform }
  } catch (error) {
    if (context.signal.aborted) throw new InterruptedError(undefined, error)
    throw error
  }
}

/** A tar would only make a mess of it. */
function refuseTerminal(output: string | Writable): void {
  if (typeof output === 'string' || (output as Partial<NodeJS.WriteStream>).isTTY !== true) return
  throw new RegctlError('standard output is a terminal, and the result is a tar', {
    kind: 'usage',
    code: 'output-is-terminal',
    hint: 'Name a file, or pipe it on: `regctl export IMAGE | tar -t`',
  })
}

/** Makes a file of a stream: under another name first, so that nobody sees a part of it. */
async function writeFile(path: string, bytes: Readable, signal: AbortSignal): Promise<void> {
  const present = await stat(path).catch(() => undefined)
  if (present?.isDirectory()) {
    bytes.destroy()
    throw new RegctlError(`${path} is a folder`, {
      kind: 'usage',
      code: 'output-is-folder',
      hint: 'Name the file to write',
    })
  }
  // A device or a fifo is written to; taking its name for a file would be wrong.
  if (present !== undefined && !present.isFile()) {
    await pipeline(bytes, createWriteStream(path), { signal })
    return
  }
  await mkdir(dirname(path), { recursive: true })
  const incomplete = join(dirname(path), `.${basename(path)}-${uniqueName()}`)
  const file = await createExclusive(incomplete)
  try {
    // The stream closes the file, once its bytes are on the disk.
    await pipeline(bytes, file.createWriteStream({ flush: true }), { signal })
    await rename(incomplete, path)
  } catch (error) {
    await rm(incomplete, { force: true })
    throw error
  }
  await syncFolder(dirname(path))
}
