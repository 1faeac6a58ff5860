import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, onTestFinished, test } from 'vitest'
import {
  type FragileOptions,
  type FragileRegistry,
  startFragile,
} from '../../test/support/fragile-registry.js'
import { randomBytes } from '../../test/support/random-bytes.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { createContext } from '../content/context.js'
import { digestOf } from '../content/digest.js'
import type { CopyEvent } from '../content/events.js'

const KIB = 1024
const BYTES = randomBytes(2, 2048 * KIB)
const DESCRIPTOR = { mediaType: 'x', digest: digestOf(BYTES), size: BYTES.length }
const LEFT = 1100 * KIB

/** One run that pushes the blob. */
async function push(registry: FragileRegistry, stateFolder: string | undefined, bytes = BYTES, fields = {}) {
  const events: CopyEvent[] = []
  const { client, lines } = clientOf(stateFolder === undefined ? {} : { stateFolder })
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  const open = async (from = 0) => Readable.from([bytes.subarray(from)])
  const context = createContext({ emit: event => events.push(event), ...fields })
  const outcome = await repository
    .putBlob({ descriptor: DESCRIPTOR, origin: repository, open }, context)
    .catch((error: unknown) => error)
  return { outcome, lines, resumed: events.filter(({ type }) => type === 'resuming') }
}

/** A registry to which a first run could send just a part of the blob, and the folder in which it remembers that. */
async function startLeft(options: FragileOptions = {}) {
  const folder = await temporaryFolder()
  const cuts: (number | undefined)[] = [LEFT, ...Array.from({ length: 50 }, () => 0)]
  const registry = await startFragile({ ...options, cuts })
  onTestFinished(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  const first = await push(registry, folder.path)
  expect(first.outcome).toMatchObject({
    kind: 'network',
    hint: expect.stringContaining('goes on from there'),
  })
  cuts.length = 0
  registry.requests.length = 0
  const uploads = join(folder.path, 'uploads')
  const [name = ''] = await readdir(uploads)
  return { registry, folder: folder.path, uploads, file: join(uploads, name) }
}

const linesOf = (registry: FragileRegistry) => registry.requests.map(({ line }) => line.split(' ')[0])

test('R200: goes on with what an earlier run left, and forgets it when the blob is in place', async () => {
  const { registry, folder, uploads } = await startLeft()
  const { outcome, resumed } = await push(registry, folder)
  expect(outcome).toBe('copied')
  expect(resumed).toEqual([expect.objectContaining({ offset: LEFT, size: BYTES.length })])
  expect(linesOf(registry)).toEqual(['HEAD', 'GET', 'PATCH', 'PUT'])
  expect(registry.received()).toBe(BYTES.length - LEFT)
  expect(registry.blobs.get(DESCRIPTOR.digest)?.equals(BYTES)).toBe(true)
  expect(await readdir(uploads)).toEqual([])
})

test('a client without a folder for it remembers nothing', async () => {
  const { registry } = await startLeft()
  expect(await push(registry, undefined)).toMatchObject({ outcome: 'copied', resumed: [] })
})

test.each<[string, FragileOptions]>([
  ['404', { statusAnswer: 404 }],
  ['401', { statusAnswer: 401 }],
  ['500', { statusAnswer: 500 }],
  ['nothing yet', { statusRange: '0-0' }],
  ['more than the blob has', { statusRange: `0-${BYTES.length + 1}` }],
  ['no Range', { statusRange: '' }],
])('R200: starts anew, silently, where the registry answers %s', async (_what, options) => {
  const { registry, folder, uploads } = await startLeft()
  Object.assign(registry.options, options)
  const { outcome, resumed } = await push(registry, folder)
  expect(outcome).toBe('copied')
  expect(resumed).toEqual([])
  expect(registry.received()).toBe(BYTES.length)
  expect(await readdir(uploads)).toEqual([])
})

test.each([
  ['on an internal address', 'http://169.254.169.254/uploads/1'],
  ['that is no http', 'file:///etc/passwd'],
  ['with a user name', 'http://ada@127.0.0.1/uploads/1'],
  ['that is none', 'nonsense\n'],
])('R200, R214, R216: asks nothing of a place %s', async (_what, location) => {
  const { registry, folder, file } = await startLeft()
  const state = JSON.parse(await readFile(file, 'utf8'))
  await writeFile(file, JSON.stringify({ ...state, location }))
  expect(await push(registry, folder)).toMatchObject({ outcome: 'copied', resumed: [] })
  expect(linesOf(registry)).toEqual(['HEAD', 'POST', 'PUT'])
})

test('R60: starts anew once when what is there and what was sent do not fit', async () => {
  const { registry, folder } = await startLeft()
  registry.damage()
  expect((await push(registry, folder)).outcome).toBe('copied')
  expect(linesOf(registry)).toEqual(['HEAD', 'GET', 'PATCH', 'PUT', 'DELETE', 'POST', 'PUT'])
  expect(registry.blobs.get(DESCRIPTOR.digest)?.equals(BYTES)).toBe(true)
})

test('R219: says nothing of where an upload is', async () => {
  const { registry, folder } = await startLeft({ query: '?_state=canary-secret' })
  const { lines } = await push(registry, folder)
  expect(lines.join('\n')).not.toContain('canary-secret')
})

test.each([
  ['keeps', 'a large upload', DESCRIPTOR.size, 1],
  ['cancels', 'an upload of which little was sent', 100 * KIB, 0],
])('R59: %s %s when it is interrupted', async (_verb, _what, sent, left) => {
  await using folder = await temporaryFolder()
  await using registry = await startFragile({ silent: true })
  const controller = new AbortController()
  const { client } = clientOf({ stateFolder: folder.path })
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  const open = async () => {
    return Readable.from(
      (async function* () {
        yield BYTES.subarray(0, sent - 1)
        while (registry.received() < Math.min(sent - 1, 64 * KIB)) await new Promise(setImmediate)
        controller.abort()
        await new Promise(() => {})
      })(),
    )
  }
  const context = createContext({ signal: controller.signal })
  const blob = { descriptor: DESCRIPTOR, origin: repository, open }
  await expect(repository.putBlob(blob, context)).rejects.toMatchObject({ kind: 'interrupted' })
  expect(await readdir(join(folder.path, 'uploads'))).toHaveLength(left)
  expect(linesOf(registry).includes('DELETE')).toBe(left === 0)
})
