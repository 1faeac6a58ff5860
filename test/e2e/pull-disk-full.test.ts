import { execFile } from 'node:child_process'
import { mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { pushImage } from './pull-fixtures.js'
import { serve } from './serve-process.js'

const execute = promisify(execFile)
const MB = 1000 * 1000

let home: TemporaryFolder
/** A disk of 12 MB; undefined where none can be mounted, and then `reason` says why. */
let disk: string | undefined
let reason = ''
let server: Awaited<ReturnType<typeof serve>>
let reference: string

beforeAll(async () => {
  home = await temporaryFolder()
  const folder = join(home.path, 'disk')
  await mkdir(folder)
  try {
    await execute('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', folder])
    disk = folder
  } catch (error) {
    reason = `no small disk can be mounted: ${error instanceof Error ? error.message : error}`
  }
  server = await serve(home.path)
  reference = `${server.host}/app:1`
  const layers = [
    { seed: 3, size: 8 * MB },
    { seed: 4, size: 8 * MB },
  ]
  await pushImage(home.path, { layers, compression: 'none' }, reference)
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  if (disk !== undefined) await execute('umount', [disk])
  await home[Symbol.asyncDispose]()
})

/** Pulls to the full disk. @param cache where the user's cache is */
async function pullTo(name: string, format: string, cache: string, ...flags: string[]) {
  const out = join(disk ?? '', name)
  const run = await regctlWith(
    { home: home.path, env: { REGCTL_CACHE_DIR: cache } },
    ...['pull', reference, out, '--format', format, '--quiet', ...flags],
  )
  return { ...run, out }
}

it.each([['docker-archive'], ['docker-archive', '--uncompressed'], ['oci-archive'], ['dir']])(
  'R252: is one clear error for a whole that has no room, and leaves nothing: %s %s',
  async (format, ...flags) => {
    if (disk === undefined) return console.warn(`left out: ${reason}`)
    const { code, stderr, out } = await pullTo(
      'out',
      format,
      join(home.path, `cache-${format}${flags.length}`),
      ...flags,
    )
    expect(stderr).toMatch(
      /^error: no space is left for .*\/disk\/.*out.*: it takes \d+ bytes\nhint: Make room on that disk, or write to another one\n$/,
    )
    expect(stderr).toContain(out)
    expect(code).toBe(1)
    expect(await readdir(disk)).toEqual([])
  },
)

it('R252: leaves in a layout the blobs that are complete, and nothing of the others', async () => {
  if (disk === undefined) return console.warn(`left out: ${reason}`)
  const { code, stderr, out } = await pullTo('layout', 'oci', join(home.path, 'cache-oci'))
  expect(stderr).toMatch(/^error: no space is left for .*\/layout: it takes 8\d+ bytes\nhint: .*\n$/)
  expect(code).toBe(1)
  expect((await readdir(out)).sort()).toEqual(['blobs', 'oci-layout'])
})

it('R252: leaves nothing in a cache whose disk is full', async () => {
  if (disk === undefined) return console.warn(`left out: ${reason}`)
  await execute('rm', ['-rf', join(disk, 'layout')])
  const { code, stderr } = await pullTo('out.tar', 'oci-archive', join(disk, 'cache'))
  expect(stderr).toMatch(
    /^error: no space is left for .*\/cache\/downloads: it takes 8\d+ bytes\nhint: Make room there, or name a folder by REGCTL_CACHE_DIR\n$/,
  )
  expect(code).toBe(1)
  expect(await readdir(disk)).toEqual(['cache'])
  expect(await readdir(join(disk, 'cache'))).toEqual([])
})
