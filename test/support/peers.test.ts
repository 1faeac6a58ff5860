import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { fetchedVersion, launchPeer, peerPath } from './peers.js'
import { temporaryFolder } from './temporary-folder.js'

afterEach(() => vi.unstubAllEnvs())

async function writeProgram(path: string): Promise<string> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, '')
  await chmod(path, 0o755)
  return path
}

describe('a tool that was fetched', () => {
  it('is started by the loader beside it, with the libraries there', async () => {
    await using folder = await temporaryFolder()
    const inside = (path: string) => writeProgram(join(folder.path, path))
    const script = await inside('bin/crane')
    const program = await inside('root/usr/bin/crane')
    const loader = await inside('root/usr/lib64/ld-linux-x86-64.so.2')
    const libraries = dirname(await inside('root/usr/lib/x86_64-linux-gnu/libc.so.6'))
    vi.stubEnv('REGCTL_PEERS', folder.path)
    expect(peerPath('crane')).toBe(script)
    expect(launchPeer(script)).toEqual([loader, '--library-path', libraries, program])
  })

  it('has the version of its package', async () => {
    await using folder = await temporaryFolder()
    await writeFile(join(folder.path, 'versions'), 'oras 1.3.3-1\ncrane 0.20.7+ds1-5\n')
    vi.stubEnv('REGCTL_PEERS', folder.path)
    expect(fetchedVersion('crane')).toBe('0.20.7+ds1-5')
    expect(fetchedVersion('skopeo')).toBeUndefined()
  })
})

describe('a tool that is installed', () => {
  it('is started as it is', async () => {
    await using folder = await temporaryFolder()
    const path = await writeProgram(join(folder.path, 'crane'))
    expect(launchPeer(path)).toEqual([path])
  })
})
