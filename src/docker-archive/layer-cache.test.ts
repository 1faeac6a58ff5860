import { readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { digestOf } from '../content/digest.js'
import { LayerCache, type LayerKey } from './layer-cache.js'

const key = keyOf('a layer')
const known = { digest: digestOf(Buffer.from('compressed')), size: 10 }
const DAY_MS = 24 * 60 * 60 * 1000

function keyOf(content: string, compressor = 'regctl 1'): LayerKey {
  return { diffID: digestOf(Buffer.from(content)), compressor }
}

/** A cache with one entry, in a folder that goes with it. */
async function filled() {
  const temporary = await temporaryFolder()
  const folder = join(temporary.path, 'cache', 'layers')
  const cache = new LayerCache(folder)
  await cache.put(key, known)
  const [name = ''] = await readdir(folder)
  return {
    cache,
    folder,
    path: join(folder, name),
    [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose](),
  }
}

describe('LayerCache', () => {
  it('remembers a layer for the next run, for this user alone', async () => {
    await using made = await filled()
    expect(await new LayerCache(made.folder).get(key)).toEqual(known)
    if (process.platform === 'win32') return
    expect((await stat(made.path)).mode & 0o777).toBe(0o600)
    expect((await stat(made.folder)).mode & 0o777).toBe(0o700)
  })

  it('does not know another layer, nor the same from another compressor', async () => {
    await using made = await filled()
    expect(await made.cache.get(keyOf('another layer'))).toBeUndefined()
    expect(await made.cache.get(keyOf('a layer', 'regctl 2'))).toBeUndefined()
  })

  it('knows nothing, and fails at nothing, where there is no folder and none can be made', async () => {
    await using temporary = await temporaryFolder()
    const file = join(temporary.path, 'file')
    await writeFile(file, '')
    const cache = new LayerCache(join(file, 'layers'))
    expect(await cache.get(key)).toBeUndefined()
    await cache.put(key, known)
    await cache.remove(key)
    expect(await cache.get(key)).toBeUndefined()
  })

  it('forgets what it is told to', async () => {
    await using made = await filled()
    await made.cache.remove(key)
    expect(await made.cache.get(key)).toBeUndefined()
  })

  it.each<[string, (entry: string) => string]>([
    ['is empty', () => ''],
    ['ends early', entry => entry.slice(0, -20)],
    ['is no JSON', () => 'null and void'],
    ['is no object', () => '[]'],
    ['has another digest', entry => entry.replace(known.digest, digestOf(Buffer.from('other')))],
    ['has another size', entry => entry.replace('"size":10', '"size":11')],
    ['has a digest that is none', entry => entry.replace(known.digest, '../../etc/passwd')],
    ['has the form of another version', entry => entry.replace('"check"', '"checksum"')],
    ['is too large', entry => `${' '.repeat(10_000)}${entry}`],
  ])('takes an entry for unknown that %s', async (_what, change) => {
    await using made = await filled()
    await writeFile(made.path, change(await readFile(made.path, 'utf8')))
    expect(await made.cache.get(key)).toBeUndefined()
    await made.cache.put(key, known)
    expect(await made.cache.get(key)).toEqual(known)
  })

  it('does not follow a link', async () => {
    await using made = await filled()
    const entry = await readFile(made.path)
    const elsewhere = join(made.folder, '..', 'elsewhere')
    await writeFile(elsewhere, entry)
    await made.cache.remove(key)
    await symlink(elsewhere, made.path)
    expect(await made.cache.get(key)).toBeUndefined()
  })

  it('is whole although several write it at once', async () => {
    await using made = await filled()
    const caches = Array.from({ length: 20 }, () => new LayerCache(made.folder))
    await Promise.all(caches.map(cache => cache.put(key, known)))
    expect(await readdir(made.folder)).toHaveLength(1)
    expect(await made.cache.get(key)).toEqual(known)
  })

  it('removes what nobody used for half a year, and what killed writers left', async () => {
    await using made = await filled()
    const long = new Date(Date.now() - 181 * DAY_MS)
    const other = join(made.folder, `${'a'.repeat(64)}.json`)
    const left = join(made.folder, `${'b'.repeat(64)}.json.1234-abcdef012345`)
    for (const path of [other, left, made.path]) {
      await writeFile(path, path === made.path ? await readFile(path) : 'x')
      await utimes(path, long, long)
    }
    // It is used: that it was made long ago doesn't matter.
    expect(await made.cache.get(key)).toEqual(known)
    await new LayerCache(made.folder).put(keyOf('new'), known)
    expect(await readdir(made.folder)).toHaveLength(2)
    expect(await made.cache.get(key)).toEqual(known)
  })

  it('keeps the 2000 entries that were used last', async () => {
    await using temporary = await temporaryFolder()
    const cache = new LayerCache(temporary.path)
    const names = Array.from({ length: 2010 }, (_, index) => `${index}`.padStart(64, '0'))
    for (const [index, name] of names.entries()) {
      const path = join(temporary.path, `${name}.json`)
      await writeFile(path, '')
      const used = new Date(Date.now() - (names.length - index) * 1000)
      await utimes(path, used, used)
    }
    await cache.put(key, known)
    const left = await readdir(temporary.path)
    expect(left).toHaveLength(2001)
    expect(left).not.toContain(`${names[9]}.json`)
    expect(left).toContain(`${names[10]}.json`)
  })

  it('is nothing to fail for when its folder cannot be read', async () => {
    await using temporary = await temporaryFolder()
    const folder = join(temporary.path, 'layers')
    // A folder that may not be read would do as well, but not for root, who reads everything.
    await writeFile(folder, 'in the way')
    await new LayerCache(folder).put(key, known)
    expect(await new LayerCache(folder).get(key)).toBeUndefined()
  })
})
