import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import {
  blobOf,
  collect,
  indexOf,
  noise,
  putImageBlobs,
  readBlob,
} from '../../test/contract/store-fixtures.js'
import { createContext } from '../content/context.js'
import { LayoutCollection } from './layout-collection.js'

const context = createContext()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-collection-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('LayoutCollection', () => {
  it('finds everything again after a restart, without a commit', async () => {
    const before = await LayoutCollection.open(folder)
    const store = await before.create('acme/app')
    const [image, child] = [await putImageBlobs(store, 'image'), await putImageBlobs(store, 'child')]
    const index = indexOf([child])
    await store.putManifest(image, [], context)
    await store.putManifest(child, [], context)
    await store.putManifest(index, ['multi'], context)

    const after = await LayoutCollection.open(folder)
    const found = await after.find('acme/app')
    for (const { descriptor } of [image, child, index]) {
      expect(await found?.hasManifest(descriptor.digest, context)).toBe(true)
    }
    expect(found && (await collect(found.listTags(context)))).toEqual(['multi'])
  })

  it('lists repositories in lexical order, one below another as well', async () => {
    const collection = await LayoutCollection.open(join(folder, 'new'))
    for (const name of ['b', 'a/x', 'a', 'a/x/y', 'c-d']) await collection.create(name)
    expect(await collect(collection.listNames())).toEqual(['a', 'a/x', 'a/x/y', 'b', 'c-d'])
    expect(await collect(collection.listNames({ after: 'a', limit: 2 }))).toEqual(['a/x', 'a/x/y'])
  })

  it('takes nothing else in the folder for a repository', async () => {
    const outside = await LayoutCollection.open(join(folder, 'outside'))
    await outside.create('secret')
    await mkdir(join(folder, 'data/UPPER/_layout'), { recursive: true })
    await mkdir(join(folder, 'data/empty/_layout'), { recursive: true })
    await writeFile(join(folder, 'data/file'), '')
    await symlink(join(folder, 'outside'), join(folder, 'data/link'))
    const collection = await LayoutCollection.open(join(folder, 'data'))
    expect(await collect(collection.listNames())).toEqual([])
    for (const name of ['empty', 'file', 'UPPER', '../outside/secret', 'absent']) {
      expect(await collection.find(name)).toBeUndefined()
    }
    await expect(collection.create('../outside')).rejects.toThrow('"../outside" is not a repository name')
  })

  it('mounts a blob from one repository into another', async () => {
    const collection = await LayoutCollection.open(folder)
    const [from, to] = [await collection.create('from'), await collection.create('to')]
    const blob = blobOf(noise(5000, 'shared'))
    await from.putBlob(blob, context)
    expect(await to.putBlob({ ...blob, origin: from }, context)).toBe('mounted')
    expect(await readBlob(to, blob.descriptor)).toHaveLength(5000)
  })
})
