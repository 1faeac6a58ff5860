import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract('LayoutStore', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'regctl-layout-'))
  const store = await LayoutStore.open(folder, { create: true })
  return { store, dispose: () => release(store, folder) }
})

describeStoreContract('a repository of a LayoutCollection', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'regctl-collection-'))
  const collection = await LayoutCollection.open(folder)
  return { store: await collection.create('acme/app'), dispose: () => release(collection, folder) }
})

async function release(resource: AsyncDisposable, folder: string): Promise<void> {
  await resource[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
}
