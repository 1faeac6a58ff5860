import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { type BuiltImage, buildImage } from '../support/image-builder.js'
import { cleanEnvironment, regctl, regctlWith } from '../support/run.js'
import { type Answer, answer, startScripted } from '../support/scripted-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'

const MIB = 1024 * 1024
/** The most of what came that may be had again: what was on its way through the process. */
const CHUNK = MIB
const START = join(import.meta.dirname, '../../bin/run.js')

let image: BuiltImage
/** The layer that does not come as a whole, and how much of it does. */
let layer: { digest: string; size: number }
let partBytes: number

beforeAll(async () => {
  image = await buildImage({ layers: [{ a: 'a\n' }, { seed: 5, size: 16 * MIB }] })
  layer = image.layers[1] ?? { digest: '', size: 0 }
  partBytes = Math.floor(layer.size * 0.6)
})

/** A registry that stops after a part of the layer the first time, and from then on sends what is asked for. */
async function startStuckRegistry() {
  const { descriptor, bytes } = image.manifest
  let stuck = false
  const sent: { from: number; bytes: number }[] = []
  const blob: Answer = ({ path, headers }, response) => {
    const digest = path.slice(path.lastIndexOf('/') + 1)
    const content = [...image.blobs].find(([key]) => key === digest)?.[1] ?? Buffer.alloc(0)
    const from = Number(/bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0)
    response.writeHead(from === 0 ? 200 : 206, {
      'content-length': content.length - from,
      ...(from > 0 && { 'content-range': `bytes ${from}-${content.length - 1}/${content.length}` }),
    })
    const isStuck = digest === layer.digest && !stuck
    const part = content.subarray(from, isStuck ? partBytes : content.length)
    if (digest === layer.digest) sent.push({ from, bytes: part.length })
    if (!isStuck) return response.end(part)
    stuck = true
    return response.write(part)
  }
  const server = await startScripted([
    [/^GET \/v2\/$/, answer(200)],
    [/\/manifests\//, answer(200, { 'content-type': descriptor.mediaType }, bytes)],
    [/\/blobs\//, blob as Answer],
  ])
  return {
    reference: `${server.host}/app:1`,
    sent,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** The sizes of the incomplete files below a folder. */
async function partialSizes(folder: string): Promise<number[]> {
  const names = await readdir(folder, { recursive: true }).catch(() => [])
  const partial = names.filter(name => name.includes('.incomplete-'))
  const found = await Promise.all(partial.map(name => lstat(join(folder, name)).catch(() => undefined)))
  return found.map(status => status?.size ?? 0)
}

/** Pulls until everything that came is in a file below one of the folders, and ends the process as `signal` does. */
async function pullPart(
  signal: NodeJS.Signals,
  home: string,
  folders: string[],
  parameters: string[],
  output?: string,
) {
  const child = spawn(process.execPath, [START, 'pull', ...parameters], {
    env: cleanEnvironment(home),
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  if (output === undefined) child.stdout.resume()
  else child.stdout.pipe(createWriteStream(output))
  const ended = once(child, 'close')
  for (let tries = 0; tries < 1000; tries++) {
    const sizes = await Promise.all(folders.map(partialSizes))
    if (Math.max(0, ...sizes.flat()) > partBytes - CHUNK) break
    await sleep(10)
  }
  child.kill(signal)
  return await ended
}

describe('a pull that was killed', () => {
  it.each([['oci'], ['oci-archive'], ['docker-archive'], ['docker-archive', '--uncompressed'], ['dir']])(
    'goes on with the next one where it stopped: %s %s',
    async (format, ...flags) => {
      await using registry = await startStuckRegistry()
      await using here = await temporaryFolder()
      await using home = await temporaryFolder()
      const out = join(here.path, 'out')
      const parameters = [registry.reference, out, '--format', format, ...flags]
      expect(await pullPart('SIGKILL', home.path, [here.path, home.path], parameters)).toEqual([
        null,
        'SIGKILL',
      ])
      if (format !== 'oci') expect(await readdir(here.path)).toEqual([])

      const next = await regctlWith({ home: home.path }, 'pull', ...parameters)
      expect(next.stderr).toMatch(
        /^resuming: pull of blob sha256:[0-9a-f]{64} from .*: goes on at .* of .*$/m,
      )
      expect(next.code).toBe(0)
      expect(registry.sent).toHaveLength(2)
      expect(registry.sent[1]?.from).toBeGreaterThan(partBytes - CHUNK)

      // Whole and right, every blob of it; with plain layers the manifest is another one.
      const verified = await regctl('verify', out)
      expect(verified.code).toBe(0)
      if (flags.length === 0) expect(next.stdout).toContain(image.manifest.descriptor.digest)
      expect(await readdir(here.path)).toEqual(['out'])
      expect(await partialSizes(here.path)).toEqual([])
      expect(await readdir(join(home.path, '.cache'), { recursive: true }).catch(() => [])).toEqual(
        format === 'oci' ? [] : ['regctl'],
      )
    },
  )

  it('goes on after Ctrl-C as well, to standard output', async () => {
    await using registry = await startStuckRegistry()
    await using home = await temporaryFolder()
    const out = join(home.path, 'nothing')
    const stopped = await pullPart('SIGINT', home.path, [home.path], [registry.reference, '-'], out)
    expect(stopped).toEqual([130, null])
    expect((await lstat(out)).size).toBe(0)
    expect((await lstat(join(home.path, '.cache/regctl'))).mode & 0o777).toBe(0o700)
    const next = await regctlWith({ home: home.path }, 'pull', registry.reference, '-')
    expect(registry.sent[1]?.from).toBeGreaterThan(partBytes - CHUNK)
    const found = await regctlWith({ stdin: next.stdoutBytes }, 'digest', '-')
    expect(found.stdout).toBe(`${image.manifest.descriptor.digest}\n`)
  })
})
