import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuiltImage, buildImage } from '../support/image-builder.js'
import { cleanEnvironment, regctl, regctlWith } from '../support/run.js'
import { type Answer, answer, type ScriptedServer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'

/** A registry with one image, the second of whose layers stops half-way. */
interface HalfRegistry extends AsyncDisposable {
  reference: string
  image: BuiltImage
  /** Resolves once half of the layer is on the way. */
  stuck: Promise<void>
  /** Lets the next request for the layer have all of it. */
  heal(): void
}

async function startHalfRegistry(): Promise<HalfRegistry> {
  const image = await buildImage({ layers: [{ a: 'a\n' }, { seed: 5, size: 300_000 }] })
  const { descriptor, bytes } = image.manifest
  const slow = image.layers[1]?.digest
  let tell = () => {}
  let healed = false
  const stuck = new Promise<void>(resolve => {
    tell = resolve
  })
  const blob: Answer = ({ path }, response) => {
    const digest = path.slice(path.lastIndexOf('/') + 1)
    const content = [...image.blobs].find(([key]) => key === digest)?.[1] ?? Buffer.alloc(0)
    response.writeHead(200, { 'content-length': content.length })
    if (digest !== slow || healed) response.end(content)
    else response.write(content.subarray(0, content.length / 2), () => setTimeout(tell, 100))
  }
  const server: ScriptedServer = await startScripted([
    [/^GET \/v2\/$/, answer(200)],
    [/\/manifests\//, answer(200, { 'content-type': descriptor.mediaType }, bytes)],
    [/\/blobs\//, blob],
  ])
  return {
    reference: `${server.host}/app:1`,
    image,
    stuck,
    heal() {
      healed = true
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

describe('a pull that is interrupted', () => {
  let folder: TemporaryFolder
  beforeAll(async () => {
    folder = await temporaryFolder()
  })
  afterAll(async () => {
    await folder[Symbol.asyncDispose]()
  })

  /** Pulls until the second layer is stuck, then presses Ctrl-C. */
  async function interrupt(registry: HalfRegistry, ...parameters: string[]) {
    const controller = new AbortController()
    const run = regctlWith(
      { interrupt: controller.signal, timeoutMs: 20_000 },
      'pull',
      registry.reference,
      ...parameters,
    )
    await registry.stuck
    controller.abort()
    return await run
  }

  it.each([['docker-archive'], ['docker-archive', '--uncompressed'], ['oci-archive'], ['dir']])(
    'leaves nothing under or beside the final name: %s %s',
    async (format, ...flags) => {
      await using registry = await startHalfRegistry()
      await using here = await temporaryFolder()
      const out = join(here.path, 'new/out')
      const { code, stderr } = await interrupt(registry, out, '--format', format, ...flags)
      expect({ code, stderr }).toEqual({
        code: 130,
        stderr: 'error: interrupted\nhint: Run the same command again: it goes on where this one stopped\n',
      })
      expect(await readdir(here.path)).toEqual([])
    },
  )

  it('leaves nothing when a second Ctrl-C ends it at once', async () => {
    await using registry = await startHalfRegistry()
    await using here = await temporaryFolder()
    await using home = await temporaryFolder()
    const start = join(import.meta.dirname, '../../bin/run.js')
    const child = spawn(
      process.execPath,
      [start, 'pull', registry.reference, join(here.path, 'new/app.tar')],
      {
        env: cleanEnvironment(home.path),
        stdio: 'ignore',
      },
    )
    const ended = once(child, 'close')
    await registry.stuck
    expect(await readdir(here.path)).toEqual([])
    child.kill('SIGINT')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    expect(await readdir(here.path)).toEqual([])
  })

  it('leaves an older archive as it was', async () => {
    await using registry = await startHalfRegistry()
    await using here = await temporaryFolder()
    const out = join(here.path, 'app.tar')
    await writeFile(out, 'older')
    expect((await interrupt(registry, out)).code).toBe(130)
    expect(await readdir(here.path)).toEqual(['app.tar'])
    expect(await readFile(out, 'utf8')).toBe('older')
  })

  it('leaves in a layout what is complete, and the next pull goes on from there', async () => {
    await using registry = await startHalfRegistry()
    const layout = join(folder.path, 'layout')
    expect((await interrupt(registry, layout)).code).toBe(130)
    expect((await readdir(layout)).sort()).toEqual(['blobs', 'oci-layout'])
    const { image, reference } = registry
    const complete = [image.config, image.layers[0]].map(blob => blob?.digest.replace('sha256:', ''))
    expect((await readdir(join(layout, 'blobs/sha256'))).sort()).toEqual(complete.sort())
    registry.heal()
    const next = await regctl('pull', reference, layout)
    expect(next).toMatchObject({ code: 0, stderr: '' })
    expect(next.stdout.match(/: Already exists$/gm)).toHaveLength(1)
    expect((await regctl('digest', layout)).stdout).toBe(`${image.manifest.descriptor.digest}\n`)
  })
})

describe('a pull to standard output', () => {
  it('ends with one error when nobody reads the pipe any more', async () => {
    await using registry = await startHalfRegistry()
    registry.heal()
    await using home = await temporaryFolder()
    const start = join(import.meta.dirname, '../../bin/run.js')
    const child = spawn(process.execPath, [start, 'pull', registry.reference, '-'], {
      env: cleanEnvironment(home.path),
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', chunk => {
      stderr += chunk
    })
    const [code] = await once(child, 'close')
    expect({ code, errors: stderr.match(/^(?:error|hint): .*$/gm) }).toEqual({
      code: 1,
      errors: [
        'error: standard output was closed before the archive was written',
        'hint: What reads it has ended: see what it says',
      ],
    })
  })

  it('has its status on standard error, and its digest in the registry it is piped to', async () => {
    await using registry = await startHalfRegistry()
    registry.heal()
    const { digest } = registry.image.manifest.descriptor
    const pulled = await regctl('pull', registry.reference, '-')
    expect(pulled.code).toBe(0)
    expect(pulled.stderr).toMatch(/^1: Pulling from app\n/)
    expect(pulled.stderr).toContain(`\nDigest: ${digest}\n`)
    expect(pulled.stderr).toMatch(/\nSaved to standard output\n$/)
    const found = await regctlWith({ stdin: pulled.stdoutBytes }, 'digest', '-')
    expect(found).toMatchObject({ code: 0, stdout: `${digest}\n` })
    const quiet = await regctl('pull', registry.reference, '-', '--quiet')
    expect(quiet.stderr).toBe(`${registry.reference.replace(/:1$/, '')}@${digest}\n`)
    expect(quiet.stdoutBytes.equals(pulled.stdoutBytes)).toBe(true)
  })

  it('is refused for folders and beside --json', async () => {
    for (const [flags, message] of [
      [['--format', 'oci'], "oci is a folder, which can't go to standard output"],
      [['--json'], 'standard output is both the image and the JSON document'],
    ] as const) {
      const { code, stderr } = await regctl('pull', 'localhost:1/app:1', '-', ...flags)
      expect(code).toBe(2)
      expect(stderr).toMatch(`error: ${message}\n`)
    }
  })
})
