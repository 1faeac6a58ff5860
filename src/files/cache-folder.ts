import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join } from 'node:path'

/** What the place of the cache depends on. */
export interface CachePlaces {
  environment: Readonly<Record<string, string | undefined>>
  /** Default: that of this machine. */
  platform?: NodeJS.Platform
}

/**
 * The folder in which regctl keeps, for this user, what it may lose at any time: `REGCTL_CACHE_DIR`, or `regctl` in the
 * system's folder for caches (XDG Base Directory, `~/Library/Caches`, `%LOCALAPPDATA%`). Nothing is made.
 *
 * @returns an absolute path
 */
export function cacheFolder({ environment, platform = process.platform }: CachePlaces): string {
  const own = absolute(environment.REGCTL_CACHE_DIR)
  if (own !== undefined) return own
  if (platform === 'darwin') return join(home(environment), 'Library', 'Caches', 'regctl')
  if (platform === 'win32') {
    const local = absolute(environment.LOCALAPPDATA) ?? join(home(environment), 'AppData', 'Local')
    return join(local, 'regctl', 'Cache')
  }
  return join(absolute(environment.XDG_CACHE_HOME) ?? join(home(environment), '.cache'), 'regctl')
}

/** Makes a folder of the cache, and those above it, for this user alone. */
export async function makeCacheFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 })
}

/** XDG Base Directory: a relative path is to be ignored. */
function absolute(path: string | undefined): string | undefined {
  return path !== undefined && isAbsolute(path) ? path : undefined
}

function home(environment: CachePlaces['environment']): string {
  return absolute(environment.HOME) ?? homedir()
}
