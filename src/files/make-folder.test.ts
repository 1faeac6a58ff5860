import { readdir, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { checkWritable, makeFolder } from './make-folder.js'

it('makes what is absent, once, with the mode that was asked for', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'a/b/c')
  const made = await Promise.all([makeFolder(path, 0o700), makeFolder(path, 0o700)])
  expect(made.filter(Boolean)).toHaveLength(1)
  expect(await makeFolder(path)).toBe(false)
  expect((await stat(join(folder.path, 'a'))).mode & 0o777).toBe(0o700)
})

it('refuses a file in the way', async () => {
  await using folder = await temporaryFolder()
  const file = join(folder.path, 'file')
  await writeFile(file, '')
  await expect(makeFolder(file)).rejects.toMatchObject({ code: 'EEXIST' })
  await expect(makeFolder(join(file, 'below'))).rejects.toMatchObject({ code: 'ENOTDIR' })
  expect(await readdir(folder.path)).toEqual(['file'])
})

it.skipIf(process.platform !== 'linux')(
  'comes to an end where the system lets nobody make a folder',
  async () => {
    await expect(makeFolder('/proc/regctl/a/b')).rejects.toMatchObject({ code: 'ENOENT' })
  },
)

it('sees from the lowest folder that is there whether something can be made', async () => {
  await using folder = await temporaryFolder()
  await checkWritable(join(folder.path, 'a/b'))
  expect(await readdir(folder.path)).toEqual([])
})
