import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { collect } from '../../test/contract/store-fixtures.js'
import { createContext } from '../content/context.js'
import { LayoutStore } from './layout-store.js'

const context = createContext()
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-layout-'))
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const open = () => LayoutStore.open(folder, { create: true })

describe('LayoutStore.open', () => {
  it('makes nothing before the first write', async () => {
    const path = join(folder, 'new')
    const store = await LayoutStore.open(path, { create: true })
    expect(await collect(store.listTags(context))).toEqual([])
    expect(await readdir(folder)).toEqual([])
  })

  it('does not fill a folder that holds something else', async () => {
    await writeFile(join(folder, 'letter.txt'), 'dear')
    await expect(open()).rejects.toMatchObject({
      message: `${folder} holds other files and no OCI layout`,
      hint: 'Name a folder that is new, empty or an OCI layout',
    })
    await expect(LayoutStore.open(folder)).rejects.toThrow('is no OCI layout')
    await expect(LayoutStore.open(join(folder, 'absent'))).rejects.toMatchObject({ kind: 'not-found' })
    await expect(LayoutStore.open(join(folder, 'letter.txt'))).rejects.toThrow('is a file')
  })

  it('goes on where another run is making the layout at this moment (R191)', async () => {
    await writeFile(join(folder, 'oci-layout.4711-0123456789ab'), '')
    const store = await open()
    expect(await collect(store.listTags(context))).toEqual([])
    await writeFile(join(folder, 'letter.txt'), 'dear')
    await expect(open()).rejects.toMatchObject({ code: 'bad-layout' })
  })

  it('says that a layout without index.json is not complete', async () => {
    await (await open()).initialize()
    await expect(LayoutStore.open(folder)).rejects.toMatchObject({ code: 'missing-index' })
  })
})
