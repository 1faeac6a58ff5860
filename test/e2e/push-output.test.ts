import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MediaType } from '../../src/content/media-types.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry } from './test-registry.js'

describe('what push prints and writes', () => {
  let folder: TemporaryFolder
  let image: string
  let digest: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }, { b: 'b\n' }] }])
    digest = (await regctl('digest', image)).stdout.trim()
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it('is what docker push prints, also with one blob at a time', async () => {
    await using registry = await startRegistry()
    const { code, stdout, stderr } = await regctl('push', image, `${registry.host}/x:1`, '--jobs', '1')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const lines = stdout.split('\n')
    expect(lines[0]).toBe(`The push refers to repository [${registry.host}/x]`)
    // Docker names the layers from the top down.
    const ids = lines.slice(1, 3).map(line => line.slice(0, 12))
    expect(lines.slice(1, 3)).toEqual(ids.map(id => `${id}: Preparing`))
    expect(lines.slice(3, 5).sort()).toEqual(ids.map(id => `${id}: Pushed`).sort())
    expect(lines[5]).toMatch(/^1: digest: sha256:[0-9a-f]{64} size: \d+$/)
    expect(lines.slice(6)).toEqual([''])
    const again = await regctl('push', image, `${registry.host}/x:1`)
    expect(again.stdout.match(/Layer already exists$/gm)).toHaveLength(2)
  })

  it('is only the reference with --quiet', async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', image, `${registry.host}/x:1`, '--quiet')
    expect(result).toMatchObject({ code: 0, stdout: `${registry.host}/x@${digest}\n`, stderr: '' })
  })

  it('is one document with --json', async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', image, `${registry.host}/x:1`, `${registry.host}/x:2`, '--json')
    const stored = await registry.manifest('x', '1')
    const blobs = [stored?.document.config, ...(stored?.document.layers ?? [])]
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect(JSON.parse(result.stdout)).toEqual({
      targets: [
        {
          repository: `${registry.host}/x`,
          tags: ['1', '2'],
          mediaType: MediaType.dockerManifest,
          digest,
          size: expect.any(Number),
          blobs: { copied: 3, mounted: 0, exists: 0, skipped: 0 },
          bytes: blobs.reduce((sum, blob) => sum + (blob?.size ?? 0), 0),
        },
      ],
    })
  })

  it('is one document with --json when it fails, too', async () => {
    const missing = join(folder.path, 'missing.tar')
    const { code, stdout, stderr } = await regctl('push', missing, '127.0.0.1:1/x', '--json')
    expect(code).toBe(3)
    expect(JSON.parse(stdout)).toEqual({
      error: { kind: 'not-found', code: 'no-such-file', message: `${missing} does not exist` },
    })
    expect(stderr).toBe(`error: ${missing} does not exist\n`)
  })

  it('is an event on each line of standard error with --progress json', async () => {
    await using registry = await startRegistry()
    const { code, stdout, stderr } = await regctl('push', image, `${registry.host}/x`, '--progress', 'json')
    expect(code).toBe(0)
    expect(stdout).toBe('')
    const events = stderr
      .trimEnd()
      .split('\n')
      .map(line => JSON.parse(line) as { time: string; type: string })
    expect(events.every(({ time }) => !Number.isNaN(Date.parse(time)))).toBe(true)
    const types = events.map(({ type }) => type)
    expect(types).toEqual(expect.arrayContaining(['layers', 'planned', 'layer-ready', 'blob-done']))
    expect(types.at(-1)).toBe('manifest-done')
  })

  it('goes nowhere with --progress none', async () => {
    await using registry = await startRegistry()
    const result = await regctl('push', image, `${registry.host}/x`, '--progress', 'none')
    expect(result).toMatchObject({ code: 0, stdout: '', stderr: '' })
  })

  it('has the digest in a file with --digest-file', async () => {
    await using registry = await startRegistry()
    const file = join(folder.path, 'digest.txt')
    expect((await regctl('push', image, `${registry.host}/x`, '--digest-file', file)).code).toBe(0)
    expect(await readFile(file, 'utf8')).toBe(`${digest}\n`)
  })

  it('says with --dry-run what would be sent, without a request that writes', async () => {
    await using registry = await startRegistry()
    const dry = await regctl('push', image, `${registry.host}/x:1`, '--dry-run')
    expect(dry).toMatchObject({ code: 0, stderr: '' })
    expect(dry.stdout.match(/^[0-9a-f]{12}: Would be pushed$/gm)).toHaveLength(2)
    expect(dry.stdout).toMatch(
      new RegExp(`\nNothing was sent: ${registry.host}/x@${digest} \\(3 blobs to send, [0-9.]+[kM]?B\\)\n$`),
    )
    expect(registry.requests()).not.toEqual([])
    expect(registry.writes()).toEqual([])
    await regctl('push', image, `${registry.host}/x:1`)
    const writes = registry.writes().length
    const again = await regctl('push', image, `${registry.host}/x:1`, '--dry-run')
    expect(again.stdout.match(/Layer already exists$/gm)).toHaveLength(2)
    expect(registry.writes()).toHaveLength(writes)
  })

  it('refuses with --expect-digest to push anything else', async () => {
    await using registry = await startRegistry()
    const right = await regctl('push', image, `${registry.host}/x:1`, '--expect-digest', digest)
    expect(right.code).toBe(0)
    const other = `sha256:${'1'.repeat(64)}`
    const wrong = await regctl('push', image, `${registry.host}/x:2`, '--expect-digest', other)
    expect(wrong.code).toBe(6)
    expect(wrong.stderr).toContain(other)
    expect(wrong.stderr).toContain(digest.slice(0, 19))
    expect(await registry.manifest('x', '2')).toBeUndefined()
    const malformed = await regctl('push', image, `${registry.host}/x:2`, '--expect-digest', 'abc')
    expect(malformed.code).toBe(2)
    expect(malformed.stderr).toMatch(/^error: --expect-digest: /)
  })
})
