import { Readable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { digestOf } from '../../src/content/digest.js'
import type { CopyEvent } from '../../src/content/events.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import type { BlobContent } from '../../src/content/store.js'
import { transferBlob } from '../../src/copy/transfer.js'
import { anonymous } from '../../src/credentials/credential-store.js'
import { RegistryClient, type RegistryClientOptions } from '../../src/registry/client.js'
import { createRegistryServer } from '../../src/server/server.js'
import { startBodyLimitProxy } from '../support/body-limit-proxy.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { type FaultyProxyOptions, startFaultyProxy } from '../support/faulty-proxy.js'
import { randomBytes } from '../support/random-bytes.js'
import { missingTool } from '../support/tools.js'

const MIB = 1024 * 1024
const BYTES = randomBytes(7, 40 * MIB)
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }
/** Enough where only the way to the end matters. */
const FEWER = BYTES.subarray(0, 12 * MIB)
/** What a connection that is cut had in its buffers, at most, and what requests and answers take besides the bytes. */
const LOST_BYTES = 4 * MIB

/** Disposed when the test is over. */
function use<T extends AsyncDisposable>(resource: T): T {
  onTestFinished(async () => await resource[Symbol.asyncDispose]())
  return resource
}

function clientOf(options: Partial<RegistryClientOptions> = {}) {
  return use(new RegistryClient({ credentials: anonymous, retry: { firstDelayMs: 1 }, ...options }))
}

async function startServe(uploadPatienceMs?: number): Promise<string> {
  const server = use(createRegistryServer({ repositories: new MemoryCollection(), uploadPatienceMs }))
  const { port } = await server.listen('127.0.0.1', 0)
  return `127.0.0.1:${port}`
}

/** Pushes a blob from memory through a faulty proxy. */
async function pushThrough(
  target: string,
  faults: FaultyProxyOptions,
  bytes = BYTES,
  options: Partial<RegistryClientOptions> = {},
) {
  const proxy = use(await startFaultyProxy(target, faults))
  const events: CopyEvent[] = []
  const repository = clientOf(options).repository(proxy.host, 'app')
  const descriptor = { mediaType: 'x', digest: digestOf(bytes), size: bytes.length }
  const open = async (from = 0) => Readable.from(piecesFrom(bytes, from), { objectMode: false })
  const blob: BlobContent = { descriptor, origin: repository, open }
  await repository.putBlob(blob, createContext({ emit: event => events.push(event) }))
  const stored = await clientOf().repository(target, 'app').statBlob(descriptor.digest, createContext())
  return { proxy, events, stored, resumed: events.filter(({ type }) => type === 'resuming').length }
}

function* piecesFrom(bytes: Buffer, from: number): Generator<Buffer> {
  for (let at = from; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536)
}

describe('uploads to regctl serve', () => {
  it.each(['reset', 'close'] as const)('go on after each of five connections was cut by a %s', async how => {
    const cuts = { up: 6 * MIB, times: 5, how }
    const { proxy, stored, resumed } = await pushThrough(await startServe(), { cuts })
    expect(stored).toBe(BYTES.length)
    expect(proxy.faults()).toBe(5)
    expect(resumed).toBe(5)
    expect(proxy.bytesUp()).toBeLessThan(BYTES.length + 5 * LOST_BYTES)
  })

  it('go on when they copy from a registry whose connections are cut as well', async () => {
    const [from, to] = [await startServe(), await startServe()]
    await pushThrough(from, {})
    const source = use(await startFaultyProxy(from, { cuts: { down: 9 * MIB, times: 3 } }))
    const target = use(await startFaultyProxy(to, { cuts: { up: 6 * MIB, times: 5 } }))
    const client = clientOf()
    const [origin, sink] = [client.repository(source.host, 'app'), client.repository(target.host, 'app')]
    await transferBlob(origin, sink, DESCRIPTOR, createContext())
    expect(await clientOf().repository(to, 'app').statBlob(DESCRIPTOR.digest, createContext())).toBe(
      BYTES.length,
    )
    expect(target.bytesUp()).toBeLessThan(BYTES.length + 5 * LOST_BYTES)
  })

  it('go on after a connection stood still', async () => {
    const freezes = { up: 4 * MIB, times: 2 }
    const options = { stallTimeoutMs: 1_000 }
    const { proxy, stored, resumed } = await pushThrough(await startServe(200), { freezes }, FEWER, options)
    expect(stored).toBe(FEWER.length)
    expect(proxy.faults()).toBe(2)
    expect(resumed).toBeGreaterThanOrEqual(1)
  })

  it('come to their end where no connection takes more than two megabytes', async () => {
    const cuts = { up: 2 * MIB, times: Number.POSITIVE_INFINITY }
    const { stored, resumed } = await pushThrough(await startServe(), { cuts }, FEWER)
    expect(stored).toBe(FEWER.length)
    expect(resumed).toBeGreaterThanOrEqual(1)
  })

  it.each(['lingering', 'reset'] as const)(
    'find out once that bodies are limited to 256 KiB (%s)',
    async close => {
      const proxy = use(await startBodyLimitProxy(await startServe(), 256 * 1024, { close }))
      const repository = clientOf().repository(proxy.host, 'app')
      const put = async (size: number) => {
        const bytes = BYTES.subarray(0, size)
        const open = async (from = 0) => Readable.from([bytes.subarray(from)])
        const descriptor = { mediaType: 'x', digest: digestOf(bytes), size }
        await repository.putBlob({ descriptor, origin: repository, open }, createContext())
      }
      await put(5 * MIB)
      const refused = proxy.refused()
      expect(refused).toBeLessThan(6)
      await put(5 * MIB + 1)
      expect(proxy.refused()).toBe(refused)
    },
  )
})

const missing = missingTool('docker-registry')
describe.skipIf(missing !== undefined)(`uploads to docker-registry${missing ?? ''}`, () => {
  it('come to their end although it can not go on with a broken request', async () => {
    const registry = use(await startDockerRegistry())
    const cuts = { up: 5 * MIB, times: 5 }
    const { proxy, stored } = await pushThrough(registry.host, { cuts }, FEWER)
    expect(stored).toBe(FEWER.length)
    // Some times to the place where the connection breaks, and then in chunks over connections of their own.
    expect(proxy.bytesUp()).toBeLessThan(FEWER.length + 5 * (5 * MIB + LOST_BYTES))
  })

  it('come to their end where no connection takes more than two megabytes', async () => {
    const registry = use(await startDockerRegistry())
    const cuts = { up: 2 * MIB, times: Number.POSITIVE_INFINITY }
    const { proxy, stored } = await pushThrough(registry.host, { cuts }, FEWER)
    expect(stored).toBe(FEWER.length)
    expect(proxy.bytesUp()).toBeLessThan(4 * FEWER.length)
  })

  it('come to their end where any five requests break', async () => {
    const registry = use(await startDockerRegistry())
    const cuts = { up: 3 * MIB, times: 5, counted: 'total' as const }
    const { proxy, stored } = await pushThrough(registry.host, { cuts }, FEWER)
    expect(stored).toBe(FEWER.length)
    expect(proxy.faults()).toBe(5)
  })
})
