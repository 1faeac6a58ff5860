import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { ConfigFileStore } from '../../src/credentials/config-file-store.js'
import { cleanEnvironment, run } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const STORE = new URL('../../dist/credentials/config-file-store.js', import.meta.url).href

it("has 50 entries in Docker's config.json after 50 processes stored one each at once", async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, '.docker', 'config.json')
  const env = cleanEnvironment(folder.path)
  const names = Array.from({ length: 50 }, (_, index) => `r${index}.example`)
  const results = await Promise.all(
    names.map(name => {
      const script = `
        import { ConfigFileStore } from ${JSON.stringify(STORE)}
        await new ConfigFileStore(${JSON.stringify(path)}).store('${name}', { username: 'ada', secret: 's' })`
      return run(process.execPath, ['--input-type=module', '-e', script], { env })
    }),
  )
  expect(results.filter(({ code }) => code !== 0).map(({ stderr }) => stderr)).toEqual([])
  const users = await new ConfigFileStore(path).list()
  expect([...users.keys()].toSorted()).toEqual(names.toSorted())
  expect(await readdir(join(folder.path, '.docker'))).toEqual(['config.json'])
})
