import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { type Digest, digestOf } from '../../src/content/digest.js'
import { RawClient, withDigest } from '../conformance/raw-client.js'
import { serve } from '../e2e/serve-process.js'
import { buildImage } from '../support/image-builder.js'
import { randomBytes } from '../support/random-bytes.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { KILLS, kill, LIMIT_MS, randomNumbers, SEED } from './random-kill.js'
import { brokenBlobs } from './whole.js'

vi.setConfig({ testTimeout: LIMIT_MS })

const CLIENTS = 8
const CHUNK = 200_000
/** How long the clients work before the registry is killed. */
const LONGEST_MS = 700

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

/** What a registry has said that it has done. */
interface Acknowledged {
  blobs: Digest[]
  tags: Map<string, Digest>
  deleted: Set<string>
  /** The upload that each client was at, with how much of it was taken. */
  uploads: Map<string, { bytes: Buffer; taken: number }>
}

/** Pushes one image after the other, and deletes every third tag, until the registry is gone. */
async function pushUntilKilled(client: RawClient, repository: string, seed: number, seen: Acknowledged) {
  try {
    for (let number = 0; ; number++) {
      const image = await buildImage({ layers: [{ 'a.txt': `${repository} ${seed} ${number}` }] })
      for (const bytes of image.blobs.values()) seen.blobs.push(await client.putBlob(repository, bytes))
      await putInChunks(client, repository, randomBytes(seed + number, 2 * CHUNK), seen)
      const tag = `v${number}`
      const { status } = await client.putManifest(repository, tag, image.manifest)
      expect(status).toBe(201)
      seen.tags.set(tag, image.manifest.descriptor.digest)
      if (number % 3 !== 2) continue
      // From here on it may be gone although nobody is told.
      seen.tags.delete(tag)
      const deleted = await client.send('DELETE', `/v2/${repository}/manifests/${tag}`)
      if (deleted.status === 202) seen.deleted.add(tag)
    }
  } catch (error) {
    // What the registry says no to is an error of ours; that it is gone is not.
    if (!/^(?:ECONN|EPIPE|ERR_STREAM)|socket hang up/.test(`${(error as { code?: string }).code}`))
      throw error
  }
}

async function putInChunks(client: RawClient, repository: string, bytes: Buffer, seen: Acknowledged) {
  const location = await client.startUpload(repository)
  const upload = { bytes, taken: 0 }
  seen.uploads.set(location, upload)
  for (let from = 0; from < bytes.length; from += CHUNK) {
    const headers = { 'Content-Range': `${from}-${from + CHUNK - 1}` }
    await client.send('PATCH', location, { headers, body: bytes.subarray(from, from + CHUNK) })
    upload.taken = from + CHUNK
  }
  // From here on it may be finished, and gone.
  seen.uploads.delete(location)
  const { status } = await client.send('PUT', withDigest(location, digestOf(bytes)))
  expect(status).toBe(201)
  seen.blobs.push(digestOf(bytes))
}

it('has all that it acknowledged, and nothing broken, after kill -9 amid pushes, again and again', async () => {
  const random = randomNumbers(SEED)
  const data = join(folder.path, 'data')
  let finished = 0
  for (let round = 0; round < Math.max(3, KILLS / 6); round++) {
    const repositories = Array.from({ length: CLIENTS }, (_, number) => `round${round}/client${number}`)
    const seen = repositories.map(
      (): Acknowledged => ({ blobs: [], tags: new Map(), deleted: new Set(), uploads: new Map() }),
    )
    await using first = await serve(folder.path, '--quiet', '--data', data)
    const client = new RawClient(`http://${first.host}`)
    const pushes = repositories.map((repository, number) =>
      pushUntilKilled(client, repository, 1000 * round + 100 * number, seen[number] as Acknowledged),
    )
    await sleep(50 + LONGEST_MS * random())
    await kill(first.process)
    await Promise.all(pushes)

    expect(await brokenBlobs(join(data, `round${round}`))).toEqual([])
    await using second = await serve(folder.path, '--quiet', '--data', data)
    const after = new RawClient(`http://${second.host}`)
    for (const [number, { blobs, tags, deleted, uploads }] of seen.entries()) {
      const base = `/v2/round${round}/client${number}`
      for (const digest of blobs) {
        const { status, body } = await after.send('GET', `${base}/blobs/${digest}`)
        expect([status, `sha256:${createHash('sha256').update(body).digest('hex')}`]).toEqual([200, digest])
      }
      for (const [tag, digest] of tags) {
        const { headers } = await after.send('HEAD', `${base}/manifests/${tag}`)
        expect(headers['docker-content-digest']).toBe(digest)
      }
      for (const tag of deleted)
        expect((await after.send('HEAD', `${base}/manifests/${tag}`)).status).toBe(404)
      for (const [location, upload] of uploads) {
        await finishUpload(after, location, upload)
        finished++
      }
    }
  }
  expect(finished).toBeGreaterThan(0)
})

/** Goes on where the registry says that the upload stands. */
async function finishUpload(client: RawClient, location: string, upload: { bytes: Buffer; taken: number }) {
  const { status, headers } = await client.send('GET', location)
  expect(status).toBe(204)
  const last = Number(/^0-(\d+)$/.exec(headers.range ?? '')?.[1])
  const offset = last === 0 ? 0 : last + 1
  expect(offset).toBeGreaterThanOrEqual(upload.taken)
  const rest = { body: upload.bytes.subarray(offset) }
  const put = await client.send('PUT', withDigest(location, digestOf(upload.bytes)), rest)
  expect(put.status).toBe(201)
}
