import { quoted } from '../content/printable.js'
import { TarError } from './tar-error.js'

/**
 * Cleans the name of a member: no `.` parts, no doubled or trailing slashes.
 *
 * @returns undefined for a name that leads out or could: absolute, with `..`, a backslash, a drive letter or a NUL
 * (rule R223); the empty string for the root itself
 */
export function cleanName(name: string): string | undefined {
  if (name.startsWith('/') || /[\\\0]/.test(name)) return undefined
  const parts = name.split('/').filter(part => part !== '' && part !== '.')
  return parts.includes('..') ? undefined : withoutDrive(parts.join('/'))
}

/** The name, unless it begins with a drive letter: what stood before that may have been cleaned away. */
function withoutDrive(cleaned: string): string | undefined {
  return /^[A-Za-z]:/.test(cleaned) ? undefined : cleaned
}

/**
 * Cleans a name that somebody asks for.
 *
 * @throws TarError `unsafe-path`
 */
export function requireCleanName(name: string, label: string): string {
  const cleaned = cleanName(name)
  if (cleaned === undefined || cleaned === '') {
    throw new TarError(`${label} names ${quoted(name)}, which leads out of it`, 'unsafe-path')
  }
  return cleaned
}

/**
 * Where a symlink leads: its target is relative to the folder it stands in.
 *
 * @returns the cleaned name, or undefined when it leads out
 */
export function resolveSymlink(name: string, target: string): string | undefined {
  if (target.startsWith('/') || /[\\\0]/.test(target) || withoutDrive(target) === undefined) return undefined
  const parts = name.split('/').slice(0, -1)
  for (const part of target.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) return undefined
  }
  return withoutDrive(parts.join('/'))
}
