import { createReadStream } from 'node:fs'
import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { expectedOf, imagePath, missingImages } from '../support/images.js'
import { cleanEnvironment, regctlWith, run, START_FILE } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

/** Zeros, of which a compressed layer takes next to nothing. */
const EMPTY_BYTES = 8 * 1024 * 1024

describe.skipIf(missingTool('zstd', 'xz', 'bzip2') !== undefined)('push of an archive', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let image: string
  let digest: string | undefined

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    image = join(folder.path, 'image.tar')
    const layer = { seed: 5, size: 300_000 }
    await writeDockerArchive(image, [{ layers: [layer, { zeros: Buffer.alloc(EMPTY_BYTES) }, layer] }])
    const pushed = await regctlWith({}, 'push', image, `${registry.host}/file`)
    expect(pushed).toMatchObject({ code: 0, stderr: '' })
    digest = (await registry.manifest('file', 'latest'))?.digest
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  /** Runs a compressor over the archive. */
  async function compressed(command: string): Promise<Buffer> {
    if (command === 'cat') return await readFile(image)
    if (command === 'gzip') return gzipSync(await readFile(image))
    const { code, stdoutBytes } = await run(command, ['-c', image])
    expect(code).toBe(0)
    return stdoutBytes
  }

  it.each(['cat', 'gzip', 'zstd', 'xz', 'bzip2'])(
    'gives the same digest after %s, as a file and through a pipe',
    async command => {
      const bytes = await compressed(command)
      const name = join(folder.path, `from-${command}`)
      await writeFile(name, bytes)
      const repository = `from-${command}`
      const file = await regctlWith({}, 'push', name, `${registry.host}/${repository}:file`)
      expect(file).toMatchObject({ code: 0, stderr: '' })
      const pipe = await regctlWith(
        { stdin: Readable.from([bytes]) },
        'push',
        '-',
        `${registry.host}/${repository}:pipe`,
      )
      expect(pipe).toMatchObject({ code: 0, stderr: '' })
      expect((await registry.manifest(repository, 'file'))?.digest).toBe(digest)
      expect((await registry.manifest(repository, 'pipe'))?.digest).toBe(digest)
    },
  )

  it.skipIf(process.platform === 'win32')('gives the same digest through a pipe of the shell', async () => {
    const script = 'cat "$1" | "$2" "$3" push - "$4"'
    const parameters = ['-c', script, 'sh', image, process.execPath, START_FILE, `${registry.host}/shell`]
    const result = await run('sh', parameters, { env: cleanEnvironment(folder.path) })
    expect(result).toMatchObject({ code: 0, stderr: '' })
    expect((await registry.manifest('shell', 'latest'))?.digest).toBe(digest)
  })

  it('keeps nothing of a pipe on disk but compressed layers, and nothing afterwards', async () => {
    await using temporary = await temporaryFolder()
    let most = 0
    const measure = async () => {
      const names = await readdir(temporary.path, { recursive: true }).catch(() => [])
      const sizes = await Promise.all(
        names.map(name =>
          stat(join(temporary.path, name)).then(
            ({ size }) => size,
            () => 0,
          ),
        ),
      )
      most = Math.max(
        most,
        sizes.reduce((sum, size) => sum + size, 0),
      )
    }
    const timer = setInterval(measure, 20)
    const result = await regctlWith(
      { stdin: createReadStream(image), env: { TMPDIR: temporary.path } },
      'push',
      '-',
      `${registry.host}/pipe`,
    ).finally(() => clearInterval(timer))
    expect(result.code).toBe(0)
    // The layer of random bytes, twice at most, and the one of zeros squeezed.
    expect(most).toBeLessThan(2_000_000)
    expect(await readdir(temporary.path)).toEqual([])
  })

  it('refuses a pipe that ends early, and one with nothing in it', async () => {
    const half = (await readFile(image)).subarray(0, 200_000)
    const cut = await regctlWith({ stdin: half }, 'push', '-', `${registry.host}/cut`)
    expect(cut.code).toBe(6)
    expect(cut.stderr).toMatch(/^error: .*standard input.*not all there/m)
    const empty = await regctlWith({ stdin: '' }, 'push', '-', `${registry.host}/cut`)
    expect(empty.code).toBe(6)
    expect(empty.stderr).toMatch(/^error: standard input is not an image/)
    expect(await registry.manifest('cut', 'latest')).toBeUndefined()
  })
})

describe.skipIf(missingImages() !== undefined)('push of an OCI archive through a pipe', () => {
  it.each(['skopeo122-oci-archive.tar', 'buildkit-oci-multi-attest.tar', 'docker28c-one.tar'])(
    'keeps the digest of %s',
    async name => {
      await using registry = await startRegistry()
      const stdin = createReadStream(imagePath(name))
      const result = await regctlWith({ stdin }, 'push', '-', `${registry.host}/x`)
      expect(result).toMatchObject({ code: 0, stderr: '' })
      expect((await registry.manifest('x', 'latest'))?.digest).toBe(expectedOf(name).oci?.roots[0]?.digest)
    },
  )
})
