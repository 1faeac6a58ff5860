import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type FaultyProxy, startFaultyProxy } from '../support/faulty-proxy.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { cleanEnvironment, regctl, regctlWith } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const MIB = 1024 * 1024
/** The most of what went up that may go up again: what was on its way when the process ended. */
const CHUNK = 4 * MIB
const START = join(import.meta.dirname, '../../bin/run.js')
const LAYERS = [{ seed: 5, size: 40 * MIB }]

let image: BuiltImage
let layerSize: number

beforeAll(async () => {
  image = await buildImage({ layers: LAYERS })
  layerSize = image.layers[0]?.size ?? 0
})

/** A user's home, and a registry behind a connection that stands still when most of the layer is through. */
async function start() {
  const home = await temporaryFolder()
  // It does not see that the process behind the connection is gone.
  const registry = await startRegistry({ uploadPatienceMs: 50 })
  const freezes = { up: Math.floor(layerSize * 0.6), times: 1, counted: 'total' as const }
  const proxy = await startFaultyProxy(registry.host, { freezes })
  onTestFinished(async () => {
    await proxy[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
    await home[Symbol.asyncDispose]()
  })
  return { home: home.path, registry, proxy }
}

/** Runs a command until nothing moves any more, and ends it. */
async function runPart(proxy: FaultyProxy, home: string, signal: NodeJS.Signals, parameters: string[]) {
  const child = spawn(process.execPath, [START, ...parameters], {
    env: cleanEnvironment(home),
    stdio: 'ignore',
  })
  const ended = once(child, 'exit')
  try {
    while (proxy.faults() === 0 && child.exitCode === null) await sleep(10)
  } finally {
    child.kill(signal)
  }
  return (await ended) as [number | null, NodeJS.Signals | null]
}

const uploads = (home: string) => readdir(join(home, '.cache/regctl/uploads'))

/** The digest of the image that a registry got, read back from there. */
async function pushed(registry: TestRegistry): Promise<string | undefined> {
  expect(await regctl('verify', `${registry.host}/app:1`)).toMatchObject({ code: 0 })
  return (await registry.manifest('app', '1'))?.digest
}

describe('a push that was ended in the middle of a layer', () => {
  it.each([
    ['kill -9', 'SIGKILL'],
    ['Ctrl-C', 'SIGINT'],
  ] as const)('goes on where it was ended by %s', async (_what, signal) => {
    const { home, registry, proxy } = await start()
    const layout = join(home, 'layout')
    await writeLayout(layout, [{ manifest: image.manifest, tag: '1' }], image.blobs)
    const command = ['push', `oci:${layout}:1`, `${proxy.host}/app:1`]
    const [code] = await runPart(proxy, home, signal, command)
    expect(code).toBe(signal === 'SIGINT' ? 130 : null)
    expect(await registry.manifest('app', '1')).toBeUndefined()
    expect(await uploads(home)).toHaveLength(1)
    const { code: second, stderr } = await regctlWith({ home }, ...command)
    expect(second).toBe(0)
    expect(stderr).toMatch(/^resuming: push of blob sha256:\w+ to \S+: goes on at 12\.\dMB of 21\.\dMB$/m)
    expect(await pushed(registry)).toBe(image.manifest.descriptor.digest)
    expect(proxy.bytesUp()).toBeLessThan(layerSize + CHUNK)
    expect(await uploads(home)).toEqual([])
  })

  it('goes on with the layer of a docker-archive, which is compressed to the same bytes', async () => {
    const { home, registry, proxy } = await start()
    const archive = join(home, 'image.tar')
    await writeDockerArchive(archive, [{ layers: LAYERS }])
    const command = ['push', archive, `${proxy.host}/app:1`]
    await runPart(proxy, home, 'SIGKILL', command)
    const { code, stderr } = await regctlWith({ home }, ...command)
    expect(code).toBe(0)
    expect(stderr).toMatch(/^resuming: /m)
    await pushed(registry)
    expect(proxy.bytesUp()).toBeLessThan(layerSize + CHUNK)
  })

  it('goes on when it copies from another registry', async () => {
    const { home, registry, proxy } = await start()
    const source = await startRegistry()
    onTestFinished(() => source[Symbol.asyncDispose]())
    const layout = join(home, 'layout')
    await writeLayout(layout, [{ manifest: image.manifest, tag: '1' }], image.blobs)
    await regctl('push', `oci:${layout}:1`, `${source.host}/from:1`)
    const command = ['copy', `${source.host}/from:1`, `${proxy.host}/app:1`]
    await runPart(proxy, home, 'SIGKILL', command)
    expect(await regctlWith({ home }, ...command)).toMatchObject({ code: 0 })
    expect(await pushed(registry)).toBe(image.manifest.descriptor.digest)
    expect(proxy.bytesUp()).toBeLessThan(layerSize + CHUNK)
  })
})
