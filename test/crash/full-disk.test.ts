import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { LayoutCollection } from '../../src/layout/layout-collection.js'
import { createRegistryServer } from '../../src/server/server.js'
import { errorCodeOf, RawClient, withDigest } from '../conformance/raw-client.js'
import { noise } from '../contract/store-fixtures.js'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { type RunResult, regctlWith } from '../support/run.js'
import { missingSmallDisk, type SmallDisk, smallDisk } from '../support/small-disk.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { brokenBlobs } from './whole.js'

const DISK_BYTES = 512 * 1024

const reason = missingSmallDisk()
if (reason !== undefined) process.stderr.write(`no disk is filled: ${reason}\n`)

describe.skipIf(reason !== undefined)('a full disk', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let archive: string
  let disk: SmallDisk

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    archive = join(folder.path, 'image.tar')
    await writeDockerArchive(archive, [{ layers: [{ seed: 1, size: 3_000_000 }], repoTags: ['acme/app:1'] }])
    expect((await regctlWith({}, 'push', archive, `${registry.host}/app:1`)).code).toBe(0)
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    disk = await smallDisk(DISK_BYTES)
  })
  afterEach(() => disk[Symbol.asyncDispose]())

  /** One error, which says where there is no room. */
  function expectFull({ code, stderr }: RunResult, where: string) {
    expect(stderr.match(/^error: .*$/gm), stderr).toHaveLength(1)
    expect(stderr).toMatch(/^error: .*(?:ENOSPC|no space is left)/im)
    expect(stderr).toContain(where)
    expect(stderr).not.toMatch(/unexpected|^\s+at /m)
    expect(code).toBe(1)
  }

  it.each([
    ['out.tar', 'docker-archive'],
    ['out.tar', 'oci-archive'],
    ['out', 'dir'],
  ])('is one error of a pull to %s (%s), and nothing is left', async (name, format) => {
    const path = join(disk.path, name)
    expectFull(await regctlWith({}, 'pull', `${registry.host}/app:1`, path, '--format', format), disk.path)
    expect(await readdir(disk.path)).toEqual([])
  })

  it('is one error of a pull to a layout, which has no broken blob', async () => {
    const path = join(disk.path, 'layout')
    expectFull(await regctlWith({}, 'pull', `${registry.host}/app:1`, path, '--format', 'oci'), disk.path)
    expect(await brokenBlobs(path)).toEqual([])
    expect(await readdir(path)).not.toContain('index.json')
  })

  it.each([
    ['a file', () => archive, {}],
    ['a pipe', () => '-', {}],
  ])('is one error of a push from %s that finds no room for what it compresses', async (_name, source) => {
    const stdin = source() === '-' ? { stdin: await readFile(archive) } : {}
    const options = { env: { TMPDIR: disk.path }, ...stdin }
    expectFull(await regctlWith(options, 'push', source(), `${registry.host}/full:1`), disk.path)
    expect(await readdir(disk.path)).toEqual([])
    expect(await registry.manifest('full', '1')).toBeUndefined()
  })

  it('is one error of an export to a file, and nothing is left', async () => {
    const path = join(disk.path, 'root.tar')
    expectFull(await regctlWith({}, 'export', `${registry.host}/app:1`, '-o', path), disk.path)
    expect(await readdir(disk.path)).toEqual([])
  })

  it('is one error of an export to standard output', async () => {
    const { stdout, code, stderr } = await regctlWith(
      { env: { TMPDIR: disk.path } },
      'export',
      `${registry.host}/app:1`,
      '-o',
      '/dev/full',
    )
    expect({ stdout, code }).toEqual({ stdout: '', code: 1 })
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
  })

  it('is one error of a login to a file, which stays as it was', async () => {
    const config = join(disk.path, 'config.json')
    const before = JSON.stringify({ auths: { 'before.example': { auth: 'YTpi' } } })
    await writeFile(config, before)
    await disk.fill(0)
    const options = { env: { DOCKER_CONFIG: disk.path }, stdin: 'secret' }
    const login = ['login', registry.host, '-u', 'ada', '--password-stdin', '--store', 'file', '--force']
    expectFull(await regctlWith(options, ...login), config)
    expect(await readFile(config, 'utf8')).toBe(before)
    expect((await readdir(disk.path)).sort()).toEqual(['config.json', 'filler'])
  })

  it('is one error of a digest file, after the copy itself went well', async () => {
    await disk.fill(0)
    const path = join(disk.path, 'digest')
    const parameters = ['copy', `${registry.host}/app:1`, `${registry.host}/other:1`, '--digest-file', path]
    expectFull(await regctlWith({}, ...parameters), path)
    expect(await readdir(disk.path)).toEqual(['filler'])
  })

  it('is 507 of a registry, which has nothing broken and goes on when there is room', async () => {
    const data = join(disk.path, 'data')
    await mkdir(data)
    await using repositories = await LayoutCollection.open(data)
    const server = createRegistryServer({ repositories, uploadDirectory: join(data, '_uploads') })
    try {
      const { port } = await server.listen('127.0.0.1', 0)
      const client = new RawClient(`http://127.0.0.1:${port}`)
      await client.putBlob('app', noise(10_000, 'before'))
      const large = noise(DISK_BYTES, 'large')
      const location = await client.startUpload('app')
      const refused = await client.send('PUT', withDigest(location, digestOf(large)), { body: large })
      expect([refused.status, errorCodeOf(refused)]).toEqual([507, 'UNKNOWN'])
      expect(`${refused.body}`).toContain('the registry has no room left on its disk')
      expect(await readdir(join(data, '_uploads'))).toEqual([])
      expect((await client.send('HEAD', `/v2/app/blobs/${digestOf(large)}`)).status).toBe(404)
      await client.putBlob('app', noise(10_000, 'after'))
      await disk.fill(0)
      expect((await client.send('POST', '/v2/app/blobs/uploads/')).status).toBeOneOf([202, 507])
      const manifest = Buffer.from('{"schemaVersion":2,"manifests":[]}')
      const headers = { 'Content-Type': 'application/vnd.oci.image.index.v1+json' }
      const put = await client.send('PUT', '/v2/app/manifests/1', { headers, body: manifest })
      expect(put.status).toBe(507)
      await rm(join(disk.path, 'filler'))
      expect((await client.send('PUT', '/v2/app/manifests/1', { headers, body: manifest })).status).toBe(201)
      expect(await brokenBlobs(data)).toEqual([])
    } finally {
      await server.close()
    }
  })
})
