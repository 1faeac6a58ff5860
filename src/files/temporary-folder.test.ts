import { spawnSync } from 'node:child_process'
import { mkdir, readdir, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { TemporaryFolder } from './temporary-folder.js'

describe('a temporary folder', () => {
  it('is for this user alone, and goes when it is disposed', async () => {
    await using parent = await temporaryFolder()
    {
      await using folder = await TemporaryFolder.create('spool', parent.path)
      expect((await stat(folder.path)).mode & 0o777).toBe(0o700)
      await writeFile(join(folder.path, 'file'), 'bytes')
    }
    expect(await readdir(parent.path)).toEqual([])
  })

  it('takes with it what killed processes have left, and nothing else', async () => {
    await using parent = await temporaryFolder()
    await using living = await TemporaryFolder.create('spool', parent.path)
    const { pid } = spawnSync(process.execPath, ['-e', ''])
    const nameOf = (owner: number, host = '') =>
      living.path.replace(/([0-9a-f]{8})-\d+-[0-9a-f]{12}$/, `${host || '$1'}-${owner}-0123456789ab`)
    await mkdir(join(nameOf(pid), 'folder'), { recursive: true })
    const kept = [nameOf(pid, '00000000'), join(parent.path, 'spool-mine'), join(parent.path, 'else')]
    for (const path of kept) await mkdir(path)
    await symlink('else', nameOf(pid).replace(/b$/, 'c'))
    await using folder = await TemporaryFolder.create('spool', parent.path)
    const names = (await readdir(parent.path)).map(name => join(parent.path, name))
    expect(names.sort()).toEqual([living.path, folder.path, ...kept, nameOf(pid).replace(/b$/, 'c')].sort())
  })
})
