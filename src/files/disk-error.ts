import { systemCodeOf } from '../errors.js'
import { FileError } from './file-error.js'

/** Whether there was no room left: on the disk, or within the user's quota. */
export function isDiskFull(error: unknown): boolean {
  const code = error instanceof FileError ? error.code : systemCodeOf(error)
  return code === 'ENOSPC' || code === 'EDQUOT' || code === 'disk-full'
}

/**
 * What is said of a disk that takes no more, or a folder that may not be written to (rule R252); everything else is
 * given back as it is.
 *
 * @param path where it was written to
 * @param size of what was written, in bytes; undefined when that says nothing
 * @param hint what else the user can do where the disk is full
 */
export function explainDiskError(error: unknown, path: string, size?: number, hint?: string): unknown {
  if (error instanceof FileError) return error
  const code = systemCodeOf(error)
  if (isDiskFull(error)) {
    const need = size === undefined ? '' : `: it takes ${size} bytes`
    return new FileError(`no space is left for ${path}${need}`, {
      kind: 'failed',
      code: 'disk-full',
      hint: hint ?? 'Make room on that disk, or write to another one',
      cause: error,
    })
  }
  if (code === 'EROFS') {
    return new FileError(`${path} can't be written: its disk is read-only`, {
      kind: 'failed',
      code: 'read-only-disk',
      hint: 'Write to another disk',
      cause: error,
    })
  }
  if (code !== 'EACCES' && code !== 'EPERM') return error
  return new FileError(`${path} can't be written: permission denied`, {
    kind: 'failed',
    code: 'no-permission',
    hint: 'Choose a folder that you may write to',
    cause: error,
  })
}
