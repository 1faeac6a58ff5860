import { createHash } from 'node:crypto'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { Staging } from './staging.js'

describe('Staging', () => {
  it('is a hidden folder beside the target, and goes with the folders that were made for it', async () => {
    await using folder = await temporaryFolder()
    const target = join(folder.path, 'a/b/image.tar')
    {
      await using staging = await Staging.beside(target)
      expect(await readdir(folder.path)).toEqual([])
      await staging.make()
      expect(await readdir(join(folder.path, 'a/b'))).toEqual([expect.stringMatching(/^\.image\.tar-/)])
    }
    expect(await readdir(folder.path)).toEqual([])
  })

  it('leaves folders that were there, and those in which something is by then', async () => {
    await using folder = await temporaryFolder()
    await mkdir(join(folder.path, 'a'))
    {
      await using staging = await Staging.beside(join(folder.path, 'a/b/c/image.tar'))
      await staging.make()
      await writeFile(join(folder.path, 'a/b/other'), '')
    }
    expect(await readdir(join(folder.path, 'a'))).toEqual(['b'])
    expect(await readdir(join(folder.path, 'a/b'))).toEqual(['other'])
  })

  it('that a killed run left goes with the next one for the same target', async () => {
    await using folder = await temporaryFolder()
    const host = createHash('sha256').update(hostname()).digest('hex').slice(0, 8)
    const dead = (target: string) => `.${target}-${host}-999999999-0123456789ab`
    for (const target of ['image.tar', 'image']) {
      await mkdir(join(folder.path, dead(target)))
      await writeFile(join(folder.path, dead(target), 'archive'), 'half')
    }
    await using staging = await Staging.beside(join(folder.path, 'image.tar'))
    await staging.make()
    expect((await readdir(folder.path)).sort()).toEqual([dead('image'), basename(staging.path)].sort())
  })

  it('goes when the process ends before it was disposed, and only then is it waited for', async () => {
    await using folder = await temporaryFolder()
    const before = process.listenerCount('exit')
    {
      await using first = await Staging.beside(join(folder.path, 'new/one'))
      await using second = await Staging.beside(join(folder.path, 'new/two'))
      expect(process.listenerCount('exit')).toBe(before + 1)
      await first.make()
      await second.make()
      process.listeners('exit').at(-1)?.call(process, 0)
      expect(await readdir(folder.path)).toEqual([])
    }
    expect(process.listenerCount('exit')).toBe(before)
  })
})
