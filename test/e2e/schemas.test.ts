import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { schemaErrors, schemaNames } from '../support/json-schema.js'
import { cleanEnvironment, regctl } from '../support/run.js'
import { startService } from '../support/service.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry } from './test-registry.js'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** These are used by the schemas of several commands. */
const SHARED = ['descriptor', 'error']

describe('the schemas', () => {
  const manifest = JSON.parse(readFileSync(join(ROOT, 'oclif.manifest.json'), 'utf8')) as {
    commands: Record<string, { flags: Record<string, unknown> }>
  }
  const commands = Object.entries(manifest.commands)
    .filter(([, { flags }]) => 'json' in flags)
    .map(([id]) => id.replaceAll(':', '-'))

  it('are there for every command with --json', () => {
    expect(commands).toContain('push')
    expect(commands.filter(name => !schemaNames.includes(name))).toEqual([])
  })

  it('are those of commands, and what these share', () => {
    const files = readdirSync(join(ROOT, 'src/cli/commands'), { recursive: true, encoding: 'utf8' })
    const named = files.map(file => file.replace(/\.ts$/, '').replaceAll('/', '-'))
    expect(schemaNames.filter(name => !named.includes(name) && !SHARED.includes(name))).toEqual([])
  })

  it.each(schemaNames)('name %s as its file does, and refuse what they do not know', name => {
    const schema = JSON.parse(readFileSync(join(ROOT, `schemas/${name}.schema.json`), 'utf8'))
    expect(schema.$id).toBe(`urn:regctl:schema:${name}`)
    expect(schema.title).toMatch(name === 'descriptor' ? /./ : /--json/)
    expect(schemaErrors(name, '{"somethingElse":1}')).not.toEqual([])
  })
})

describe('what is printed with --json fits the schema', () => {
  let folder: TemporaryFolder
  let image: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    image = join(folder.path, 'image.tar')
    await writeDockerArchive(image, [{ layers: [{ a: 'a\n' }, { b: 'b\n' }], repoTags: ['acme/app:1'] }])
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  it('of push, to several targets', async () => {
    await using registry = await startRegistry()
    await using other = await startRegistry()
    const references = ['x:1', 'x:2', 'y'].map(name => `${registry.host}/${name}`)
    const { code, stdout } = await regctl('push', image, ...references, `${other.host}/x`, '--json')
    expect(code).toBe(0)
    expect(schemaErrors('push', stdout)).toEqual([])
    const { targets } = JSON.parse(stdout)
    expect(targets).toHaveLength(3)
    expect(targets[1].blobs).toEqual({ copied: 0, mounted: 3, exists: 0, skipped: 0 })
  })

  it('of push, where one target fails', async () => {
    await using registry = await startRegistry()
    await using other = await startRegistry({ readOnly: true })
    const references = [`${other.host}/x`, `${registry.host}/x`]
    const { code, stdout } = await regctl('push', image, ...references, '--json')
    expect(code).not.toBe(0)
    expect(schemaErrors('push', stdout)).toEqual([])
    const { targets } = JSON.parse(stdout)
    expect(targets[0].error).toMatchObject({ kind: expect.any(String), message: expect.any(String) })
    expect(targets[1]).toMatchObject({ digest: expect.stringMatching(/^sha256:/), blobs: { copied: 3 } })
    expect(targets[1]).not.toHaveProperty('error')
  })

  it('of push, where the image cannot be read', async () => {
    await using registry = await startRegistry()
    const expected = ['--expect-digest', `sha256:${'1'.repeat(64)}`]
    const { code, stdout } = await regctl('push', image, `${registry.host}/x`, ...expected, '--json')
    expect(code).toBe(6)
    expect(schemaErrors('push', stdout)).toEqual([])
    expect(JSON.parse(stdout).targets[0]).not.toHaveProperty('digest')
  })

  it('of push --dry-run, --all and by digest', async () => {
    await using registry = await startRegistry()
    const dry = await regctl('push', image, `${registry.host}/x`, '--dry-run', '--json')
    expect(schemaErrors('push', dry.stdout)).toEqual([])
    expect(JSON.parse(dry.stdout).targets[0].blobs).toMatchObject({ copied: 3 })
    const all = await regctl('push', image, registry.host, '--all', '--json')
    expect(schemaErrors('push', all.stdout)).toEqual([])
    const { digest } = JSON.parse(all.stdout).targets[0]
    const named = await regctl('push', image, `${registry.host}/y@${digest}`, '--json')
    expect(schemaErrors('push', named.stdout)).toEqual([])
    expect(JSON.parse(named.stdout).targets[0].tags).toEqual([])
  })

  it('of an error, where push comes to no target', async () => {
    const { code, stdout } = await regctl('push', join(folder.path, 'none.tar'), '127.0.0.1:1/x', '--json')
    expect(code).toBe(3)
    expect(schemaErrors('error', stdout)).toEqual([])
    expect(schemaErrors('push', stdout)).not.toEqual([])
  })

  it('of serve', async () => {
    const parameters = [join(ROOT, 'bin/run.js'), 'serve', '--address', '127.0.0.1:0', '--json']
    const isReady = ({ stdout }: { stdout(): string }) => stdout().endsWith('}\n')
    const env = cleanEnvironment(folder.path)
    await using service = await startService(process.execPath, parameters, env, isReady)
    expect(schemaErrors('serve', service.stdout())).toEqual([])
    expect(JSON.parse(service.stdout())).toMatchObject({ tls: false })
  })
})
