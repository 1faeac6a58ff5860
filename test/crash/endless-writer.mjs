// Changes one file of the user's again and again until it is killed, and says after each change which it was.

import { digestOf } from '../../dist/content/digest.js'
import { ConfigFileStore, createContext, LayoutStore } from '../../dist/index.js'

const [kind, path, id] = process.argv.slice(2)
const context = createContext({})

const writers = {
  async credentials(number) {
    const store = new ConfigFileStore(path)
    await store.store(`host${number}.${id}.example`, { username: 'ada', secret: `${id}-${number}` })
  },
  async layout(number) {
    const store = await LayoutStore.open(path, { create: true })
    const bytes = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType,
        manifests: [],
        annotations: { id, number: `${number}` },
      }),
    )
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length }
    await store.putManifest({ descriptor, bytes }, [`${id}-${number}`], context)
  },
}
const mediaType = 'application/vnd.oci.image.index.v1+json'

for (let number = 0; ; number++) {
  await writers[kind](number)
  process.stdout.write(`${number}\n`)
}
