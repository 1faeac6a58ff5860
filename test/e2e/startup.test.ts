import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { unpackCode } from '../../src/start/code-pack.js'
import { type RunResult, regctlWith, run, systemEnvironment } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const EMPTY_INDEX = '{"schemaVersion":2,"manifests":[]}'
const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_FILE = join(ROOT, 'bin/run.js')

let home: TemporaryFolder
let codeFolder: string

beforeEach(async () => {
  home = await temporaryFolder()
  codeFolder = join(home.path, '.cache/regctl/code')
})

afterEach(() => home[Symbol.asyncDispose]())

/** As someone who has a cache of their own. */
const regctl = (...parameters: string[]) =>
  regctlWith({ home: home.path, env: { REGCTL_CODE_CACHE_DIR: '' } }, ...parameters)

const version = { code: 0, stdout: expect.stringMatching(/^@regctl\/cli\//), stderr: '' }
const text = ({ code, stdout, stderr }: RunResult) => ({ code, stdout, stderr })

async function cacheFiles(): Promise<string[]> {
  const builds = await readdir(codeFolder).catch(() => [])
  const lists = await Promise.all(builds.map(async build => await readdir(join(codeFolder, build))))
  return lists.flat().sort()
}

async function onlyFile(): Promise<string> {
  const [build = ''] = await readdir(codeFolder)
  const [name = ''] = await readdir(join(codeFolder, build))
  return join(codeFolder, build, name)
}

describe('compiled code', () => {
  it('is remembered for each command, for this user alone, and changes nothing', async () => {
    const [first, second] = [await regctl('--version'), await regctl('--version')]
    expect(text(first)).toEqual(version)
    expect(text(second)).toEqual(text(first))
    const path = await onlyFile()
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const [help, again] = [await regctl('help', 'push'), await regctl('help', 'push')]
    expect(text(again)).toEqual(text(help))
    expect(await cacheFiles()).toEqual(['regctl-help.bin', 'regctl.bin'])
  })

  it('is not written again when it is there', async () => {
    await regctl('--version')
    const path = await onlyFile()
    const before = await stat(path)
    await regctl('--version')
    expect((await stat(path)).mtimeMs).toBe(before.mtimeMs)
  })

  it.each(['push', 'frobnicate'])('is not remembered of a wrong usage: %s', async name => {
    expect((await regctl(name)).code).toBe(2)
    expect(await cacheFiles()).toEqual([])
  })

  it('is made anew when the file was cut off or changed', async () => {
    await regctl('--version')
    const path = await onlyFile()
    const bytes = await readFile(path)
    for (const broken of [
      bytes.subarray(0, 1000),
      Buffer.concat([bytes.subarray(0, -1000), Buffer.alloc(1000)]),
    ]) {
      await writeFile(path, broken)
      expect(text(await regctl('--version'))).toEqual(version)
      expect((await stat(path)).size).toBeGreaterThan(10_000)
    }
  })

  it('is not needed: where nothing can be written, all works in silence', async () => {
    await writeFile(join(home.path, '.cache'), 'no folder')
    expect(text(await regctl('--version'))).toEqual(version)
    const env = { PATH: systemEnvironment().PATH ?? '' }
    expect(
      text(await run(process.execPath, [START_FILE, '--version'], { env: { ...env, HOME: '/proc' } })),
    ).toEqual(version)
  })

  it('is not taken from a folder to which others may write', async () => {
    await regctl('--version')
    const path = await onlyFile()
    await chmod(join(path, '..'), 0o777)
    await writeFile(path, 'theirs')
    expect(text(await regctl('--version'))).toEqual(version)
    expect(await readFile(path, 'utf8')).toBe('theirs')
  })

  it('may be written by several runs at once', async () => {
    const runs = await Promise.all([1, 2, 3, 4].map(() => regctl('--version')))
    expect(runs.map(text)).toEqual([version, version, version, version])
    expect(await cacheFiles()).toEqual(['regctl.bin'])
    expect(text(await regctl('--version'))).toEqual(version)
  })
})

it('ends as it would when nobody reads what it says of an error', async () => {
  const script = '{ sleep 0.05; "$0" "$1" images /none 2>&3; echo "ended with $?" >&2; } 3>&1 | true'
  const { stderr } = await run('sh', ['-c', script, process.execPath, START_FILE])
  expect(stderr).toBe('ended with 3\n')
})

it('takes no offence at a reader of the version that has gone', async () => {
  const script = '{ sleep 0.05; "$0" "$1" --version; echo "ended with $?" >&2; } | true'
  const { stderr } = await run('sh', ['-c', script, process.execPath, START_FILE])
  expect(stderr).toBe('ended with 0\n')
})

describe('what is loaded', () => {
  const loaded = async (...parameters: string[]) => {
    expect((await regctl(...parameters)).code).toBe(0)
    const files = [...unpackCode(await readFile(await onlyFile())).keys()]
    return files.map(file => file.replace(/(?:-[\w-]{8})?\.cjs$/, '')).sort()
  }

  it('is one file of the bundle for the version', async () => {
    expect(await loaded('--version')).toEqual(['regctl'])
  })

  it('is little more for help', async () => {
    expect(await loaded('--help')).toEqual(['find', 'help', 'outlines', 'program-plugin', 'regctl'])
  })

  describe('for a question to a registry', () => {
    let registry: TestRegistry
    let image: string

    beforeEach(async () => {
      registry = await startRegistry()
      image = `${registry.host}/a:latest`
      const url = `http://${registry.host}/v2/a/manifests/latest`
      const headers = { 'content-type': 'application/vnd.oci.image.index.v1+json' }
      expect((await fetch(url, { method: 'PUT', headers, body: EMPTY_INDEX })).status).toBe(201)
    })

    afterEach(() => registry[Symbol.asyncDispose]())

    it('is what speaks to registries, besides the command', async () => {
      expect(await loaded('digest', image)).toEqual(['digest', 'regctl', 'registry'])
    })

    it('is nothing of Node that would take long', async () => {
      const script = `process.on('exit', () => console.log(process.moduleLoadList.join(' ')))`
      await writeFile(join(home.path, 'list.cjs'), script)
      const env = { ...systemEnvironment(), HOME: home.path, REGCTL_CODE_CACHE_DIR: '' }
      const parameters = ['--require', join(home.path, 'list.cjs'), START_FILE, 'digest', image]
      const { stdout } = await run(process.execPath, parameters, { env })
      const modules = stdout.match(/NativeModule \S+/g) ?? []
      expect(modules).toContain('NativeModule net')
      const slow = [
        'assert',
        'child_process',
        'crypto',
        'fs/promises',
        'http',
        'perf_hooks',
        'readline',
        'tls',
        'v8',
        'worker_threads',
        'zlib',
      ]
      expect(modules.filter(name => slow.includes(name.replace('NativeModule ', '')))).toEqual([])
    })
  })
})

describe('the packed files', () => {
  it('run where nothing else is installed, and have the library with its types', async () => {
    const packed = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', home.path], {
      cwd: ROOT,
      env: { ...systemEnvironment(), HOME: home.path },
    })
    const [{ filename = '', files = [] } = {}] = JSON.parse(packed.stdout) as [
      { filename: string; files: { path: string }[] },
    ]
    const paths = files.map(({ path }) => path)
    for (const path of [
      'bin/run.js',
      'bin/package.json',
      'dist/cli-bundle/start.cjs',
      'dist/index.d.ts',
      'dist/index.js',
    ])
      expect(paths).toContain(path)
    const place = join(home.path, 'elsewhere')
    await mkdir(place)
    await run('tar', ['-xzf', join(home.path, filename), '-C', place])
    const env = { ...systemEnvironment(), HOME: home.path, REGCTL_CODE_CACHE_DIR: '' }
    const start = (...parameters: string[]) =>
      run(process.execPath, [join(place, 'package/bin', parameters[0] ?? ''), ...parameters.slice(1)], {
        env,
      })
    expect(text(await start('run.js', '--version'))).toEqual(version)
    expect((await start('run.js', 'help', 'copy')).stdout).toMatch(/^Copy an image/)
    const helper = await start('docker-credential-regctl.js', 'version')
    expect(helper.stdout).toMatch(/^docker-credential-regctl /)
  })
})

it('ends a run that has nothing left to wait for and is not done by an error, and not as if it were', async () => {
  const script = `
    import { readFileSync } from 'node:fs'
    import { main } from './dist/cli/main.js'
    const Waiting = { run: () => new Promise(() => {}) }
    const pjson = JSON.parse(readFileSync('package.json', 'utf8'))
    const loaders = { tags: async () => ({ default: Waiting }) }
    void main(['tags', 'a'], { root: process.cwd(), pjson, longNames: [], loaders })`
  const { code, stderr } = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT })
  expect(stderr).toContain('unexpected: there is nothing left to wait for, and it is not done')
  expect(code).toBe(1)
})
