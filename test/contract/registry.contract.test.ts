import { MemoryCollection } from '../../src/content/memory-collection.js'
import { anonymous } from '../../src/credentials/credential-store.js'
import { RegistryClient } from '../../src/registry/client.js'
import { createRegistryServer } from '../../src/server/server.js'
import { describeStoreContract } from './store-contract.js'

describeStoreContract('Repository at the embedded server', async () => {
  const server = createRegistryServer({ repositories: new MemoryCollection() })
  const { port } = await server.listen('127.0.0.1', 0)
  const client = new RegistryClient({ credentials: anonymous })
  return {
    store: client.repository(`127.0.0.1:${port}`, 'team/app'),
    async dispose() {
      await client[Symbol.asyncDispose]()
      await server.close()
    },
  }
})
