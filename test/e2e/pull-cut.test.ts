import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startDockerRegistry } from '../support/docker-registry.js'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js'
import { cleanEnvironment, regctl, regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { pushImage } from './pull-fixtures.js'
import { serve } from './serve-process.js'

const MB = 1000 * 1000
const LAYER_BYTES = 40 * MB
/** What is lost with a connection: what the system has of it and nobody has read yet. */
const CHUNK_BYTES = 4 * MB
/** What is lost with a process: that, what it holds unwritten, and what comes while the signal is on its way. */
const KILLED_BYTES = 12 * MB
const START = join(import.meta.dirname, '../../bin/run.js')
const CUTS = 5

let home: TemporaryFolder
let servers: (AsyncDisposable & { host: string })[]
let digest: string

beforeAll(async () => {
  home = await temporaryFolder()
  servers = [await serve(home.path), await startDockerRegistry()]
  const references = servers.map(({ host }) => `${host}/app:1`)
  const options = { layers: [{ a: 'a\n' }, { seed: 3, size: LAYER_BYTES }], compression: 'none' } as const
  const image = await pushImage(home.path, options, ...references)
  digest = image.manifest.descriptor.digest
})
afterAll(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
  await home[Symbol.asyncDispose]()
})

/** Starts a proxy in front of one of the registries, and runs `work` in a folder of its own. */
async function behindProxy(
  at: number,
  options: Parameters<typeof startFaultyProxy>[1],
  work: (proxy: FaultyProxy, folder: string) => Promise<void>,
) {
  await using proxy = await startFaultyProxy(servers[at]?.host ?? '', options)
  await using folder = await temporaryFolder()
  await work(proxy, folder.path)
}

describe('a pull over a connection that is cut', () => {
  it.each([
    ['regctl serve', 0],
    ['docker-registry', 1],
  ])('five times, ends well and has little twice: from %s', async (_name, at) => {
    const cuts = { down: LAYER_BYTES / (CUTS + 1), times: CUTS, counted: 'total' } as const
    await behindProxy(at, { cuts }, async (proxy, folder) => {
      const out = join(folder, 'app.tar')
      const pulled = await regctlWith({ home: folder }, 'pull', `${proxy.host}/app:1`, out)
      expect(pulled.stdout).toContain(digest)
      expect(proxy.faults()).toBe(CUTS)
      // The cause is told once, and it is gone on with at once.
      expect(pulled.stderr).toMatch(/^retrying: .* at byte \d+ of \d+ \(attempt 1, at once\)$/m)
      expect(proxy.bytesDown()).toBeLessThan(LAYER_BYTES + CUTS * CHUNK_BYTES)
      expect(await regctl('verify', out)).toMatchObject({ code: 0 })
    })
  })
})

describe('two pulls at once', () => {
  it.each([['docker-archive'], ['oci']])('to one place both end well: %s', async format => {
    await behindProxy(0, {}, async (proxy, folder) => {
      const out = join(folder, 'out')
      const pull = () =>
        regctlWith({ home: folder }, 'pull', `${proxy.host}/app:1`, out, '--format', format, '--quiet')
      for (const { code, stderr } of await Promise.all([pull(), pull()]))
        expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expect(await regctl('verify', out)).toMatchObject({ code: 0 })
      expect(await readdir(folder)).toEqual(['.cache', 'out'].slice(format === 'oci' ? 1 : 0))
      if (format === 'oci') expect((await readdir(out)).sort()).toEqual(['blobs', 'index.json', 'oci-layout'])
    })
  })
})

describe('a pull that is killed at 60 %', () => {
  it.each([
    ['regctl serve', 'oci-archive', 0],
    ['docker-registry', 'oci', 1],
  ])('has only the rest with the next run: from %s to %s', async (_name, format, at) => {
    await behindProxy(at, { bytesPerSecond: 60 * MB }, async (proxy, folder) => {
      const out = join(folder, 'out')
      const parameters = ['pull', `${proxy.host}/app:1`, out, '--format', format]
      const child = spawn(process.execPath, [START, ...parameters], {
        env: cleanEnvironment(folder),
        stdio: 'ignore',
      })
      const ended = once(child, 'close')
      while (proxy.bytesDown() < 0.6 * LAYER_BYTES && child.exitCode === null) await sleep(5)
      child.kill('SIGKILL')
      expect(await ended).toEqual([null, 'SIGKILL'])
      if (format === 'oci') expect(await readdir(out)).not.toContain('index.json')
      else await expect(lstat(out)).rejects.toThrow('ENOENT')

      const next = await regctlWith({ home: folder }, ...parameters)
      expect(next.stdout).toContain(digest)
      expect(proxy.bytesDown()).toBeLessThan(LAYER_BYTES + KILLED_BYTES)
      expect(await regctl('verify', out)).toMatchObject({ code: 0 })
    })
  })
})
