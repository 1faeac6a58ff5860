import { readFileSync } from 'node:fs'
import { cp, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { cleanEnvironment, regctlWith, run } from '../support/run.js'
import { startService } from '../support/service.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const START_FILE = join(ROOT, 'bin/run.js')
const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')

/** The lines of the README's shell examples that run regctl; those that go on over several lines in one. */
const readmeLines = [...readme.matchAll(/```sh\n(.*?)```/gs)]
  .flatMap(block => (block[1] ?? '').replace(/\\\n\s*/g, '').split('\n'))
  .filter(line => /(?:^|\| )regctl /.test(line))

/** The examples of every command's help. */
const helpLines = Object.entries(
  (
    JSON.parse(readFileSync(join(ROOT, 'oclif.manifest.json'), 'utf8')) as {
      commands: Record<string, { examples?: string[]; id: string }>
    }
  ).commands,
).flatMap(([id, { examples = [] }]) =>
  examples.map(example =>
    example.replaceAll('<%= config.bin %>', 'regctl').replaceAll('<%= command.id %>', id),
  ),
)

const lines = [...new Set([...readmeLines, ...helpLines])]

describe('every example of the README and of the help', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    const at = (name: string) => join(folder.path, name)
    const first = { layers: [{ a: 'a\n' }], repoTags: ['acme/first:v1'] }
    const second = { layers: [{ b: 'b\n' }], repoTags: ['acme/second:v2'] }
    await writeDockerArchive(at('image.tar'), [first])
    await writeDockerArchive(at('two-images.tar'), [first, second])
    await cp(at('two-images.tar'), at('images.tar'))
    const platforms = ['amd64', 'arm64'].map(architecture => ({ os: 'linux', architecture }))
    const images = await Promise.all(platforms.map(platform => buildImage({ platform })))
    const index = buildIndex(
      images.map(({ manifest }, position) => ({
        manifest,
        platform: platforms[position] ?? { os: '', architecture: '' },
      })),
    )
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    await writeLayout(
      at('oci-layout'),
      [{ manifest: index, tag: '1.0' }],
      blobs,
      images.map(({ manifest }) => manifest),
    )
    // What the examples read from the registry is there, whatever was run before.
    for (const name of ['app:1.0', 'ubuntu:latest']) {
      const { code } = await regctlWith({}, 'push', at('image.tar'), `${registry.host}/${name}`)
      expect(code).toBe(0)
    }
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('is found', () => {
    expect(readmeLines.length).toBeGreaterThan(10)
    expect(helpLines.length).toBeGreaterThan(10)
  })

  /** A folder of its own with the inputs, and the line as a shell there can run it. */
  async function prepare(line: string): Promise<{ cwd: string; command: string }> {
    const cwd = join(folder.path, `run-${lines.indexOf(line)}`)
    await mkdir(cwd)
    for (const name of ['image.tar', 'two-images.tar', 'images.tar'])
      await cp(join(folder.path, name), join(cwd, name))
    // `oci:layout` is read, `./layout` is written.
    if (/oci:layout|serve layout/.test(line))
      await cp(join(folder.path, 'oci-layout'), join(cwd, 'layout'), { recursive: true })
    const command = line
      .replaceAll(/localhost:5000|registry\.example\.com/g, registry.host)
      .replace(/docker save \S+ \|/, 'cat image.tar |')
      .replace(/(^|\| )regctl /, `$1"${process.execPath}" "${START_FILE}" `)
    return { cwd, command }
  }

  it.each(lines.filter(line => !line.includes('regctl serve')))('runs: %s', async line => {
    const { cwd, command } = await prepare(line)
    const env = { ...cleanEnvironment(cwd), REGISTRY_PASSWORD: 'secret' }
    const { code, stderr } = await run('sh', ['-c', command], { cwd, env })
    expect({ code, stderr: stderr.replace(/^warning: .*\n/gm, '') }).toEqual({ code: 0, stderr: '' })
  })

  it.each(lines.filter(line => line.includes('regctl serve')))('starts: %s', async line => {
    const { cwd } = await prepare(line)
    const parameters = line
      .replace('regctl ', '')
      .replace(/--address \S+/, '')
      .trim()
      .split(/\s+/)
    await using service = await startService(
      'sh',
      [
        '-c',
        'cd "$0" && exec "$@"',
        cwd,
        process.execPath,
        START_FILE,
        ...parameters,
        '--address',
        '127.0.0.1:0',
      ],
      cleanEnvironment(cwd),
      ({ stdout }) => stdout().includes('\n'),
    )
    expect(service.stdout()).toMatch(/^Serving on http:\/\/127\.0\.0\.1:\d+\n/)
  })
})
