import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, vi } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { ConfigFileStore } from '../../src/credentials/config-file-store.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { KILLS, LIMIT_MS, randomNumbers, SEED } from './random-kill.js'
import { brokenBlobs } from './whole.js'

vi.setConfig({ testTimeout: LIMIT_MS })

const WRITER = fileURLToPath(new URL('./endless-writer.mjs', import.meta.url))
const PROCESSES = 8
const ROUNDS = Math.max(1, Math.round(KILLS / 30))

/** Has processes write to one file until each is killed at a moment of its own. @returns what each has done last */
async function writeAndKill(kind: string, path: string, ids: string[], random: () => number) {
  return await Promise.all(
    ids.map(async id => {
      const child = spawn(process.execPath, [WRITER, kind, path, id], { stdio: ['ignore', 'pipe', 'pipe'] })
      let [done, errors] = ['', '']
      child.stdout.on('data', chunk => {
        done += chunk
      })
      child.stderr.on('data', chunk => {
        errors += chunk
      })
      const ended = once(child, 'close')
      await Promise.race([once(child.stdout, 'data'), ended])
      setTimeout(() => child.kill('SIGKILL'), 300 * random())
      await ended
      expect(errors).toBe('')
      return { id, last: Number(done.trim().split('\n').at(-1)) }
    }),
  )
}

const idsOf = (round: number) => Array.from({ length: PROCESSES }, (_, number) => `p${round}-${number}`)

describe(`${PROCESSES} processes that write to one file and are killed`, () => {
  it('lose no login that was stored, and leave the file whole and private', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, '.docker/config.json')
    const store = new ConfigFileStore(path)
    await store.store('before.example', { username: 'ada', secret: 'before' })
    const random = randomNumbers(SEED)
    for (let round = 0; round < ROUNDS; round++) {
      const writers = await writeAndKill('credentials', path, idsOf(round), random)
      expect((await stat(path)).mode & 0o777).toBe(0o600)
      const { auths } = JSON.parse(await readFile(path, 'utf8'))
      expect(auths['before.example']).toBeDefined()
      for (const { id, last } of writers) {
        for (let number = 0; number <= last; number++)
          expect(auths).toHaveProperty([`host${number}.${id}.example`])
      }
      // No lock is in the way, and no copy of the secrets is left.
      await store.store('after.example', { username: 'ada', secret: 'after' })
      expect(await readdir(join(folder.path, '.docker'))).toEqual(['config.json'])
    }
  })

  it('lose no tag that was put into a layout, and leave every blob whole', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'layout')
    const random = randomNumbers(SEED + 1)
    const context = createContext()
    for (let round = 0; round < ROUNDS; round++) {
      const writers = await writeAndKill('layout', path, idsOf(round), random)
      await using store = await LayoutStore.open(path, { create: true })
      for (const { id, last } of writers) {
        for (let number = 0; number <= last; number++) {
          const { bytes } = await store.getManifest(`${id}-${number}`, context)
          expect(JSON.parse(`${Buffer.from(bytes)}`).annotations).toEqual({ id, number: `${number}` })
        }
      }
      expect(await brokenBlobs(path)).toEqual([])
    }
  })
})
