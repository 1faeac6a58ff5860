import type { Readable } from 'node:stream'
import type { Chunks } from '../content/chunks.js'
import type { RandomAccess } from '../content/random-access.js'
import type { SpooledFile } from '../content/spooled-file.js'

/**
 * The regular files of an archive or a folder, by name and read-only. The readers of image formats see
 * every container alike through this: a tar on disk, a tar that came through a pipe, a folder.
 *
 * Names are relative, with `/` between parts and no `.` parts (`blobs/sha256/…`, `manifest.json`). A name that leads
 * out (`..`, an absolute path, a backslash, a drive letter, NUL) finds an error, never a file of the machine (rule R223).
 */
export interface FileSet extends AsyncDisposable {
  /** For messages: the path as the user gave it, or `standard input`. */
  readonly label: string

  /**
   * Looks up a file, following links inside the set.
   *
   * @returns undefined when there is no member of that name
   * @throws RegctlError `unsafe-path`, `unsafe-link` when the name or a link leads out of the set; `bad-link` for a link
   * that never ends; `bad-member-type` when it is a directory, a device or a fifo; `ambiguous` when several members of
   * that name differ
   */
  stat(name: string): Promise<FileSetEntry | undefined>

  /**
   * Opens a file from a byte offset on. The caller consumes or destroys the stream.
   *
   * @throws as {@link stat}, and `missing-file` (kind `corrupt`) when it is not there
   */
  open(name: string, from?: number): Promise<Readable>

  /** The same, one chunk after another. */
  chunks(name: string, from?: number): Chunks

  /**
   * Reads up to `length` bytes at an offset: fewer at the end of the file.
   *
   * @throws as {@link open}
   */
  read(name: string, from: number, length: number): Promise<Uint8Array>

  /** The names of all regular files and links, in the order of the container. */
  names(): Iterable<string>
}

/** A file in a {@link FileSet}. */
export interface FileSetEntry {
  /** The name of the file itself, after links: two names of one file have the same. */
  name: string
  /** In bytes, as {@link FileSet.open} gives them. */
  size: number
  /** What was learned about the content while it passed through a pipe. Undefined for files that are read in place. */
  spooled?: SpooledFile
  /** The content, where it lies in one piece in a file on disk: a faster way than {@link FileSet.open} to read all of it. */
  access?: RandomAccess
}
