import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { imagePath, missingImages } from '../support/images.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry } from './test-registry.js'

/** Nobody listens on port 1. */
const CLOSED = '127.0.0.1:1'

describe('push to several places', () => {
  let folder: TemporaryFolder
  let one: string
  let two: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    one = join(folder.path, 'one.tar')
    two = join(folder.path, 'two.tar')
    const base = { 'etc/os': 'base\n' }
    const first = {
      layers: [base, { 'bin/first': 'first\n' }],
      repoTags: ['acme/first:v1', 'acme/first:new'],
    }
    const second = {
      layers: [base, { 'bin/second': 'second\n' }],
      repoTags: ['registry.example.com/acme/second:v2'],
    }
    await writeDockerArchive(one, [first])
    await writeDockerArchive(two, [first, second])
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it('makes several tags of several names of one repository, and mounts in the next repository', async () => {
    await using registry = await startRegistry()
    const { host } = registry
    const pushed = await regctl('push', one, `${host}/a:1`, `${host}/b:1`, `${host}/a:2`)
    expect(pushed).toMatchObject({ code: 0, stderr: '' })
    const parts = pushed.stdout.split('The push refers to repository ')
    expect(parts[1]).toMatch(/^\[[^\]]+\/a\]\n(?:[0-9a-f]{12}: Preparing\n){2}(?:[0-9a-f]{12}: Pushed\n){2}/)
    expect(parts[1]).toMatch(/\n1: digest: (sha256:[0-9a-f]{64}) size: \d+\n2: digest: \1 size: \d+\n$/)
    expect(parts[2]).toMatch(
      /^\[[^\]]+\/b\]\n(?:[0-9a-f]{12}: Preparing\n){2}(?:[0-9a-f]{12}: Mounted from a\n){2}1: digest: /,
    )
    const stored = await Promise.all([
      registry.manifest('a', '1'),
      registry.manifest('a', '2'),
      registry.manifest('b', '1'),
    ])
    expect(new Set(stored.map(manifest => manifest?.digest)).size).toBe(1)
    expect(pushed.stdout).toContain(`${stored[0]?.digest}`)
    // The config and two layers went up once.
    expect(registry.requests().filter(line => line.startsWith('PUT /v2/a/blobs/'))).toHaveLength(3)
    expect(registry.requests().filter(line => line.startsWith('PUT /v2/b/blobs/'))).toEqual([])
  })

  it('gives each of several registries the whole image', async () => {
    await using left = await startRegistry()
    await using right = await startRegistry()
    const { code, stdout } = await regctl('push', one, `${left.host}/x`, `${right.host}/x`, '--quiet')
    const digest = (await left.manifest('x', 'latest'))?.digest
    expect(code).toBe(0)
    expect(stdout).toBe(`${left.host}/x@${digest}\n${right.host}/x@${digest}\n`)
    expect((await right.manifest('x', 'latest'))?.digest).toBe(digest)
  })

  it('finishes the others when one registry is down, names it and ends with 5', async () => {
    await using registry = await startRegistry()
    const pushed = await regctl('push', one, `${CLOSED}/x`, `${registry.host}/x`)
    expect(pushed.code).toBe(5)
    expect(pushed.stderr).toMatch(/^error: .*127\.0\.0\.1:1\b.*connection refused/m)
    expect(pushed.stdout).toContain('latest: digest: sha256:')
    expect(await registry.manifest('x', 'latest')).toBeDefined()
  })

  it('ends with one error where the only registry is down', async () => {
    const { code, stderr } = await regctl('push', one, `${CLOSED}/x`)
    expect(code).toBe(5)
    expect(stderr.match(/^error: /gm)).toHaveLength(1)
    expect(stderr).not.toContain('\n    at ')
  })

  it('pushes every image under its own names with --all', async () => {
    await using registry = await startRegistry()
    const pushed = await regctl('push', two, `${registry.host}/mirror`, '--all')
    expect(pushed).toMatchObject({ code: 0, stderr: '' })
    const first = await registry.manifest('mirror/acme/first', 'v1')
    expect(first).toBeDefined()
    expect(await registry.manifest('mirror/acme/first', 'new')).toEqual(first)
    const second = await registry.manifest('mirror/acme/second', 'v2')
    expect(second).toBeDefined()
    expect(second?.digest).not.toBe(first?.digest)
  })

  it.skipIf(missingImages() !== undefined)(
    'pushes the other images with --all when one of them is broken, and tells which',
    async () => {
      await using registry = await startRegistry()
      const layout = join(folder.path, 'layout')
      await cp(imagePath('umoci04-layout'), layout, { recursive: true })
      const broken = '0d3eae69844f771cafb8124d667b3c298fefffba4b8167fb901f19df7fcbee18'
      await rm(join(layout, 'blobs/sha256', broken))
      const { code, stderr } = await regctl('push', layout, `${registry.host}/umoci`, '--all')
      expect(code).toBe(6)
      expect(stderr.match(/^error: /gm)).toHaveLength(1)
      expect(stderr).toContain(`sha256:${broken}`)
      expect(await registry.manifest('umoci', 'v1')).toBeDefined()
      expect(await registry.manifest('umoci', 'latest')).toBeUndefined()
    },
  )

  it('refuses --all with several references, since the names come from the file', async () => {
    await using registry = await startRegistry()
    const { code, stderr } = await regctl('push', two, `${registry.host}/a`, `${registry.host}/b`, '--all')
    expect(code).toBe(2)
    expect(stderr).toContain('`--all` takes one REF')
    expect(registry.requests()).toEqual([])
  })

  it('lists what a file holds when it is not said which of its images is meant', async () => {
    await using registry = await startRegistry()
    const { code, stdout, stderr } = await regctl('push', two, `${registry.host}/x`)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toBe(
      `error: ${two} holds 2 images\nhint: Choose one with \`--image\`: ` +
        '#1 acme/first:v1 = acme/first:new, #2 registry.example.com/acme/second:v2\n',
    )
    expect(registry.requests()).toEqual([])
  })

  it('picks an image by name, number, image ID, or after the path', async () => {
    await using registry = await startRegistry()
    const { host } = registry
    const byNumber = await regctl('push', two, `${host}/x:number`, '--image', '#2')
    expect(byNumber.code).toBe(0)
    const second = await registry.manifest('x', 'number')
    const id = second?.document.config?.digest ?? ''
    for (const [tag, selector] of [
      ['name', 'registry.example.com/acme/second:v2'],
      ['id', `@${id}`],
    ] as const) {
      expect((await regctl('push', two, `${host}/x:${tag}`, '--image', selector)).code).toBe(0)
      expect(await registry.manifest('x', tag)).toEqual(second)
    }
    const locator = `docker-archive:${two}:acme/first:new`
    expect((await regctl('push', locator, `${host}/x:path`)).code).toBe(0)
    expect((await registry.manifest('x', 'path'))?.digest).not.toBe(second?.digest)
  })

  it('says what there is when the image that is asked for is not', async () => {
    const { code, stderr } = await regctl('push', two, `${CLOSED}/x`, '--image', 'acme/third')
    expect(code).toBe(3)
    expect(stderr).toMatch(/^error: .* holds no image acme\/third\nhint: It holds #1 acme\/first:v1 = /)
  })

  it('takes a reference with tag and digest, and refuses one with another digest', async () => {
    await using registry = await startRegistry()
    const { host } = registry
    const digest = (await regctl('digest', one)).stdout.trim()
    const right = await regctl('push', one, `${host}/x:1@${digest}`)
    expect(right).toMatchObject({ code: 0, stderr: '' })
    expect((await registry.manifest('x', '1'))?.digest).toBe(digest)
    const other = `sha256:${'0'.repeat(64)}`
    const wrong = await regctl('push', one, `${host}/x:2@${other}`)
    expect(wrong.code).toBe(6)
    expect(wrong.stderr).toContain(other)
    expect(await registry.manifest('x', '2')).toBeUndefined()
  })
})
