import { createHash } from 'node:crypto'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctl, regctlWith } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { readTar, writeTar } from './tar-files.js'
import { startRegistry } from './test-registry.js'

describe('a push that can not be', () => {
  let folder: TemporaryFolder
  let image: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }] }])
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it.each([
    ['no source', [], /Missing 2 required args/],
    ['no reference', ['image.tar'], /Missing 1 required arg/],
    ['an unknown flag', ['image.tar', 'localhost:1/x', '--frobnicate'], /Nonexistent flag: --frobnicate/],
    ['no number of jobs', ['image.tar', 'localhost:1/x', '--jobs', 'many'], /Expected an integer/],
    [
      'an unknown way to show progress',
      ['image.tar', 'localhost:1/x', '--progress', 'loud'],
      /--progress=loud/,
    ],
    [
      'a source in a registry',
      ['docker://localhost:1/x', 'localhost:1/y'],
      /is in a registry\nhint: Use `regctl copy`/,
    ],
    ['--all with --image', ['image.tar', 'localhost:1/x', '--all', '--image', 'a'], /--image/],
    ['a password without a user name', ['image.tar', 'localhost:1/x', '--password-stdin'], /--username/],
    ['image and password at standard input', ['-', 'localhost:1/x', '-u', 'a', '--password-stdin'], /both/],
  ])('is wrong usage with %s', async (_name, parameters, message) => {
    const { code, stdout, stderr } = await regctl('push', ...parameters)
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: /)
    expect(stderr).toMatch(message)
    expect(stderr).not.toContain('\n    at ')
  })

  it('is wrong usage with a reference that is none, and guesses what was meant', async () => {
    const { code, stderr } = await regctl('push', image, 'localhost:1/App')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: .*lowercase\nhint: Did you mean localhost:1\/app\?/)
  })

  it('ends with 3 where there is no such file', async () => {
    const missing = join(folder.path, 'missing.tar')
    const result = await regctl('push', missing, 'localhost:1/x')
    expect(result).toMatchObject({ code: 3, stdout: '', stderr: `error: ${missing} does not exist\n` })
  })

  it('ends with 6 where the file is damaged, and nothing points at its parts', async () => {
    await using registry = await startRegistry()
    const files = await readTar(image)
    const layer = files.get('layer-0/layer.tar') ?? Buffer.alloc(0)
    layer[600] = (layer[600] ?? 0) ^ 1
    const damaged = join(folder.path, 'damaged.tar')
    await writeTar(damaged, files)
    const { code, stderr } = await regctl('push', damaged, `${registry.host}/x`)
    expect(code).toBe(6)
    expect(stderr).toMatch(/^error: layer layer-0\/layer\.tar of .*should have the digest/)
    expect(registry.writes().filter(line => line.includes('/manifests/'))).toEqual([])
  })

  it('ends with 6 where a layout is damaged, names the blob, and nothing points at its parts', async () => {
    await using registry = await startRegistry()
    const layout = join(folder.path, 'layout')
    expect((await regctl('copy', image, `oci:${layout}:1`)).code).toBe(0)
    const blobs = join(layout, 'blobs', 'sha256')
    const sizes = await Promise.all(
      (await readdir(blobs)).map(async name => ({ name, bytes: await readFile(join(blobs, name)) })),
    )
    const layer = sizes.find(({ bytes }) => bytes.readUInt16BE() === 0x1f8b)
    if (layer === undefined) throw new Error('the layout has no layer')
    layer.bytes[20] = (layer.bytes[20] ?? 0) ^ 1
    await writeFile(join(blobs, layer.name), layer.bytes)
    const { code, stderr } = await regctl('push', layout, `${registry.host}/x:1`)
    expect(code).toBe(6)
    expect(stderr).toContain(`blob sha256:${layer.name} of ${layout} should have the digest`)
    expect(registry.writes().filter(line => line.includes('/manifests/'))).toEqual([])
  })

  it('ends with 6 where the file is cut off', async () => {
    const cut = join(folder.path, 'cut.tar')
    await writeFile(cut, (await readFile(image)).subarray(0, 900))
    const { code, stderr } = await regctl('push', cut, 'localhost:1/x')
    expect(code).toBe(6)
    expect(stderr).toMatch(/^error: .*not all there/)
  })

  it('ends with 1 where the registry refuses for its own reasons, and says which', async () => {
    await using registry = await startScripted([
      [/^GET \/v2\/$/, answer(200)],
      [/^HEAD /, answer(404)],
      [/^POST /, answer(405, {}, '{"errors":[{"code":"UNSUPPORTED","message":"this is a mirror"}]}')],
    ])
    const { code, stderr } = await regctl('push', image, `${registry.host}/x`)
    expect(code).toBeGreaterThan(0)
    expect(stderr).toMatch(/^error: .*405.*this is a mirror/)
  })

  it('is interrupted by Ctrl-C: ends with 130, says so, and leaves neither manifest nor file', async () => {
    const controller = new AbortController()
    await using temporary = await temporaryFolder()
    await using registry = await startScripted([
      [/^GET \/v2\/$/, answer(200)],
      [/^HEAD /, answer(404)],
      [
        /^POST /,
        (_request, response) => response.writeHead(202, { location: '/v2/x/blobs/uploads/1' }).end(),
      ],
      // The upload never ends.
      [/^(?:PUT|PATCH) /, () => controller.abort()],
    ])
    const env = { TMPDIR: temporary.path }
    const result = await regctlWith(
      { interrupt: controller.signal, env },
      'push',
      image,
      `${registry.host}/x`,
    )
    expect(result.code).toBe(130)
    expect(result.stderr).toMatch(/^error: interrupted\nhint: Run the same command again/)
    expect(registry.lines().filter(line => line.includes('/manifests/') && line.startsWith('PUT'))).toEqual(
      [],
    )
    expect(await readdir(temporary.path)).toEqual([])
  })

  it('leaves no temporary files behind when it is done', async () => {
    await using temporary = await temporaryFolder()
    await using registry = await startRegistry()
    const env = { TMPDIR: temporary.path }
    const before = createHash('sha256')
      .update(await readFile(image))
      .digest('hex')
    expect((await regctlWith({ env }, 'push', image, `${registry.host}/x`)).code).toBe(0)
    expect(await readdir(temporary.path)).toEqual([])
    expect(
      createHash('sha256')
        .update(await readFile(image))
        .digest('hex'),
    ).toBe(before)
  })
})
