import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

/** Also when it is compressed, it is larger than what is asked for by a mount. */
const LAYER_BYTES = 600_000
const PATIENCE_MS = 20_000

const layer = (seed: number) => ({ seed, size: LAYER_BYTES })
const [base, middle, top, other] = [layer(1), layer(2), layer(3), layer(4)]

describe('a push of a docker-archive that comes through a pipe', () => {
  let folder: TemporaryFolder
  let image: string
  let twoImages: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [base, middle, top] }])
    twoImages = join(folder.path, 'two.tar')
    await writeDockerArchive(twoImages, [
      { layers: [base], repoTags: ['acme/one:1'] },
      { layers: [middle, top, other], repoTags: ['acme/two:1'] },
    ])
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it('sends a layer while the archive still comes', async () => {
    await using registry = await startRegistry()
    const bytes = await readFile(image)
    let sent: string[] = []
    const stdin = pausing(bytes, LAYER_BYTES * 2, async () => {
      await until(() => countOf(registry, 'PUT') > 0)
      sent = registry.writes()
    })
    const pipe = await regctlWith({ stdin }, 'push', '-', `${registry.host}/pipe`)
    expect(pipe).toMatchObject({ code: 0, stderr: '' })
    expect(sent).toEqual(['POST /v2/pipe/blobs/uploads/', expect.stringMatching(/^PUT \/v2\/pipe\/blobs\//)])
    expect(pipe.stdout.match(/: Pushed$/gm)).toHaveLength(3)
    const file = await regctlWith({}, 'push', image, `${registry.host}/file`, '--json')
    expect(JSON.parse(file.stdout)).toMatchObject({
      targets: [{ digest: (await registry.manifest('pipe', 'latest'))?.digest }],
    })
  })

  it('counts what was sent before as sent, and mounts it in the second repository', async () => {
    await using registry = await startRegistry()
    const references = [`${registry.host}/one`, `${registry.host}/two`]
    const stdin = await readFile(image)
    const { stdout, stderr } = await regctlWith({ stdin }, 'push', '-', ...references, '--json')
    expect(stderr).toBe('')
    const { targets } = JSON.parse(stdout)
    expect(targets).toMatchObject([
      { blobs: { copied: 4, mounted: 0, exists: 0 } },
      { blobs: { copied: 0, mounted: 4, exists: 0 } },
    ])
    expect(targets[0].bytes).toBeGreaterThan(1.5 * LAYER_BYTES)
  })

  it('sends nothing of a layer that is there already', async () => {
    await using registry = await startRegistry()
    const old = join(folder.path, 'old.tar')
    await writeDockerArchive(old, [{ layers: [base, middle] }])
    expect(await regctlWith({}, 'push', old, `${registry.host}/app:1`)).toMatchObject({ code: 0 })
    const before = registry.writes().length
    const stdin = await readFile(image)
    const { stdout } = await regctlWith({ stdin }, 'push', '-', `${registry.host}/app:2`)
    expect(stdout.match(/: Layer already exists$/gm)).toHaveLength(2)
    expect(stdout.match(/: Pushed$/gm)).toHaveLength(1)
    // The top layer and the config.
    const methods = registry.writes().slice(before).map(methodOf)
    expect(methods.sort()).toEqual(['POST', 'POST', 'PUT', 'PUT', 'PUT'])
  })

  it('sends nothing of the images that were not chosen', async () => {
    await using registry = await startRegistry()
    const stdin = await readFile(twoImages)
    const parameters = ['push', '-', `${registry.host}/one`, '--image', 'acme/one:1']
    expect(await regctlWith({ stdin }, ...parameters)).toMatchObject({ code: 0, stderr: '' })
    expect(registry.writes().map(methodOf)).toEqual(['POST', 'POST', 'PUT', 'PUT', 'PUT'])
  })

  it('sends no layer of a second image before it refuses the archive', async () => {
    await using registry = await startRegistry()
    const stdin = await readFile(twoImages)
    const result = await regctlWith({ stdin }, 'push', '-', `${registry.host}/one`)
    expect(result.code).toBe(2)
    expect(result.stderr).toMatch(/^error: standard input holds 2 images\nhint: Choose one/)
    expect(countOf(registry, 'POST')).toBeLessThanOrEqual(1)
    expect(registry.writes().some(line => line.includes('/manifests/'))).toBe(false)
  })

  it('sends nothing in a dry run', async () => {
    await using registry = await startRegistry()
    const stdin = await readFile(image)
    const result = await regctlWith({ stdin }, 'push', '-', `${registry.host}/dry`, '--dry-run')
    expect(result).toMatchObject({ code: 0, stdout: expect.stringContaining('4 blobs to send') })
    expect(registry.writes()).toEqual([])
  })

  it('leaves no manifest when the archive breaks off, and sends no more of it the next time than it must', async () => {
    await using registry = await startRegistry()
    const whole = await readFile(image)
    const stdin = pausing(whole.subarray(0, LAYER_BYTES * 1.9), LAYER_BYTES * 1.5, () =>
      until(() => countOf(registry, 'PUT') > 0),
    )
    const broken = await regctlWith({ stdin }, 'push', '-', `${registry.host}/cut`)
    expect(broken.code).toBe(6)
    expect(broken.stderr).toMatch(/^error: .*standard input.*not all there/)
    expect(registry.writes().map(methodOf)).toEqual(['POST', 'PUT'])
    const again = await regctlWith({ stdin: whole }, 'push', '-', `${registry.host}/cut`)
    expect(again.code).toBe(0)
    expect(again.stdout.match(/: Layer already exists$/gm)).toHaveLength(1)
  })

  it('tells once what a registry refuses', async () => {
    await using registry = await startRegistry({ readOnly: true })
    const stdin = await readFile(image)
    const result = await regctlWith({ stdin }, 'push', '-', `${registry.host}/app`)
    expect(result.code).not.toBe(0)
    expect(result.stderr.match(/^error: /gm)).toHaveLength(1)
    expect(result.stderr).toContain('push of blob sha256:')
  })
})

/** Gives the bytes up to an offset, waits, and gives the rest. */
function pausing(bytes: Buffer, at: number, wait: () => Promise<void>): Readable {
  async function* parts() {
    yield bytes.subarray(0, at)
    await wait()
    yield bytes.subarray(at)
  }
  return Readable.from(parts(), { objectMode: false })
}

async function until(isSo: () => boolean): Promise<void> {
  const end = Date.now() + PATIENCE_MS
  while (!isSo()) {
    if (Date.now() > end) throw new Error('waited too long')
    await new Promise(resolve => setTimeout(resolve, 10))
  }
}

function methodOf(line: string): string {
  return line.split(' ', 1)[0] ?? ''
}

function countOf(registry: TestRegistry, method: string): number {
  return registry.writes().filter(line => methodOf(line) === method).length
}
