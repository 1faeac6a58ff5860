import { stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { cacheFolder, makeCacheFolder } from './cache-folder.js'

const folder = (environment: Record<string, string>, platform: NodeJS.Platform = 'linux') =>
  cacheFolder({ environment, platform })

describe('the cache folder', () => {
  it('is where the XDG Base Directory specification says', () => {
    expect(folder({ XDG_CACHE_HOME: '/cache', HOME: '/home/ada' })).toBe('/cache/regctl')
    expect(folder({ HOME: '/home/ada' })).toBe('/home/ada/.cache/regctl')
    expect(folder({ XDG_CACHE_HOME: 'relative', HOME: '/home/ada' })).toBe('/home/ada/.cache/regctl')
    expect(folder({})).toBe(join(homedir(), '.cache/regctl'))
  })

  it('is in the system folder for caches on macOS', () => {
    expect(folder({ HOME: '/Users/ada' }, 'darwin')).toBe('/Users/ada/Library/Caches/regctl')
  })

  it('is that of REGCTL_CACHE_DIR before all others', () => {
    expect(folder({ REGCTL_CACHE_DIR: '/mine', XDG_CACHE_HOME: '/cache' })).toBe('/mine')
    expect(folder({ REGCTL_CACHE_DIR: '/mine' }, 'darwin')).toBe('/mine')
  })

  it('is made for this user alone', async () => {
    await using parent = await temporaryFolder()
    const path = join(parent.path, 'a', 'b')
    await makeCacheFolder(path)
    await makeCacheFolder(path)
    expect((await stat(path)).mode & 0o777).toBe(0o700)
  })
})
