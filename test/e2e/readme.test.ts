import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { cleanEnvironment, run } from '../support/run.js'
import { startService } from '../support/service.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { ExampleImages } from './example-images.js'
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
  let images: ExampleImages
  /** Of each example, as examples change what is there. */
  let registry: TestRegistry

  beforeAll(async () => {
    folder = await temporaryFolder()
    images = await ExampleImages.write(folder.path)
  })

  beforeEach(async () => {
    registry = await startRegistry({ repositories: await images.fill() })
  })

  afterEach(() => registry[Symbol.asyncDispose]())

  afterAll(() => folder[Symbol.asyncDispose]())

  it('is found', () => {
    expect(readmeLines.length).toBeGreaterThan(10)
    expect(helpLines.length).toBeGreaterThan(10)
  })

  /** A folder of its own with the inputs, and the line as a shell there can run it. */
  async function prepare(line: string): Promise<{ cwd: string; command: string }> {
    const cwd = join(folder.path, `run-${lines.indexOf(line)}`)
    // `oci:layout` is read, `./layout` is written.
    await images.prepare(cwd, /oci:layout|serve layout/.test(line))
    const command = line
      .replaceAll(/localhost:5000|registry\.example\.com/g, registry.host)
      .replace(/docker save \S+ \|/, 'cat image.tar |')
      .replace(/\| docker load/, '| cat >/dev/null')
      .replaceAll(/(^|\| |\$\()regctl /g, `$1"${process.execPath}" "${START_FILE}" `)
    return { cwd, command }
  }

  it.each(lines.filter(line => !line.includes('regctl serve')))('runs: %s', async line => {
    const { cwd, command } = await prepare(line)
    const env = { ...cleanEnvironment(cwd), REGISTRY_PASSWORD: 'secret' }
    const { code, stderr } = await run('sh', ['-c', command], { cwd, env })
    // Of a pipe the shell tells only how its end went.
    expect({ code, errors: stderr.match(/^(?:error|hint): .*/gm) ?? [] }).toEqual({ code: 0, errors: [] })
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
    expect(service.stdout()).toMatch(/^Serving on https?:\/\/127\.0\.0\.1:\d+\n/)
  })
})
