import { MemoryStore } from '../../src/content/memory-store.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract('MemoryStore', async () => {
  const store = new MemoryStore('contract')
  return { store, dispose: () => store[Symbol.asyncDispose]() }
})
