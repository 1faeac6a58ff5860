import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { openLayoutOf } from './open-layout.js'

it('refuses to change the names in what is no folder', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'image.tar')
  await writeFile(path, 'an archive')
  const refused = { kind: 'usage', code: 'not-a-layout', message: `the names in ${path} can't be changed` }
  await expect(openLayoutOf({ kind: 'file', path })).rejects.toMatchObject(refused)
  await expect(openLayoutOf({ kind: 'file', path, format: 'docker-archive' })).rejects.toMatchObject(refused)
  await expect(openLayoutOf({ kind: 'stdio' })).rejects.toMatchObject({ code: 'not-a-layout' })
})

it('finds no layout where there is none', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'none')
  await expect(openLayoutOf({ kind: 'file', path })).rejects.toMatchObject({ kind: 'not-found' })
})
