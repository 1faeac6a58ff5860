import { chmod, mkdir, readdir, readFile, rename, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { CodeCache } from './code-cache.js'

let home: TemporaryFolder
let folder: string

beforeEach(async () => {
  home = await temporaryFolder()
  folder = join(home.path, 'cache', 'code')
})

afterEach(() => home[Symbol.asyncDispose]())

const open = (name = 'regctl', build = 'this') => new CodeCache({ folder, build, name })
const saved = (text: string, file = 'a.cjs') => new Map([[file, Buffer.from(text)]])
const read = (file = 'a.cjs') => open().get(file)?.toString()

it('gives the next run what this one compiled, and says nothing of other files', () => {
  open().save(saved('code'))
  expect(read()).toBe('code')
  expect(read('b.cjs')).toBeUndefined()
})

it('keeps what it has of files that this run did not load', () => {
  open().save(saved('first'))
  const cache = open()
  cache.get('b.cjs')
  cache.save(saved('second', 'b.cjs'))
  expect([read('a.cjs'), read('b.cjs')]).toEqual(['first', 'second'])
})

it('keeps commands and builds apart', () => {
  open('regctl-push').save(saved('push'))
  open('regctl', 'other').save(saved('other'))
  expect(read()).toBeUndefined()
})

it.each([
  ['the file', 'this/regctl.bin', 0o620],
  ['the folder', 'this', 0o770],
])('takes nothing when others may write to %s', async (_, path, mode) => {
  open().save(saved('code'))
  await chmod(join(folder, path), mode)
  expect(read()).toBeUndefined()
})

it('writes nothing where others may write', async () => {
  await mkdir(join(folder, 'this'), { recursive: true })
  await chmod(join(folder, 'this'), 0o777)
  open().save(saved('code'))
  expect(await readdir(join(folder, 'this'))).toEqual([])
})

it('follows no link', async () => {
  open().save(saved('code'))
  const path = join(folder, 'this', 'regctl.bin')
  await rename(path, `${path}.moved`)
  await symlink(`${path}.moved`, path)
  expect(read()).toBeUndefined()
})

it('is no worse for a file that is cut off, and mends it', async () => {
  open().save(saved('code'))
  const path = join(folder, 'this', 'regctl.bin')
  await writeFile(path, (await readFile(path)).subarray(0, 30))
  expect(read()).toBeUndefined()
  open().save(saved('code'))
  expect(read()).toBe('code')
})

it('is silent where nothing can be written', async () => {
  await writeFile(join(home.path, 'cache'), 'a file where the folder should be')
  open().save(saved('code'))
  expect(read()).toBeUndefined()
  new CodeCache({ folder: undefined, build: 'this', name: 'regctl' }).save(saved('code'))
})

it('leaves nothing but the file, for this user alone', async () => {
  open().save(saved('code'))
  open().save(saved('again'))
  expect(await readdir(join(folder, 'this'))).toEqual(['regctl.bin'])
})

it('removes the caches of all but the latest builds', async () => {
  for (const build of ['1', '2', '3', '4', '5', '6', '7', '8', '9']) {
    open('regctl', build).save(saved('code'))
    await utimes(join(folder, build), Number(build), Number(build))
  }
  open().save(saved('code'))
  expect((await readdir(folder)).sort()).toEqual(['3', '4', '5', '6', '7', '8', '9', 'this'])
})
