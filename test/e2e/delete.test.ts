import { access, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { type BuiltImage, buildImage, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { cleanEnvironment, regctl, regctlWith, run } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const START_FILE = join(import.meta.dirname, '../../bin/run.js')

let folder: TemporaryFolder
let layout: string
let image: BuiltImage
let signature: BuiltImage
let digest: string
/** Of an image whose subject is `digest`. */
let referrer: string

beforeAll(async () => {
  folder = await temporaryFolder()
  layout = join(folder.path, 'layout')
  image = await buildImage()
  digest = image.manifest.descriptor.digest
  signature = await buildImage({
    layers: [{ sig: 'sig\n' }],
    subject: image.manifest.descriptor,
    artifactType: 'application/vnd.example.signature',
  })
  referrer = signature.manifest.descriptor.digest
  const roots = [
    { manifest: image.manifest, tag: '1.0' },
    { manifest: signature.manifest, tag: 'signature' },
  ]
  await writeLayout(layout, roots, new Map([...image.blobs, ...signature.blobs]))
})

afterAll(() => folder[Symbol.asyncDispose]())

describe('delete', () => {
  let registry: TestRegistry
  let app: string

  beforeEach(async () => {
    registry = await startRegistry()
    app = `${registry.host}/app`
    await regctl('push', `oci:${layout}:1.0`, `${app}:1.0`, `${app}:1.1`, `${app}:stable`)
  })

  afterEach(() => registry[Symbol.asyncDispose]())

  it('R87: takes a tag alone', async () => {
    expect(await regctl('delete', `${app}:1.0`, '--yes')).toMatchObject({
      code: 0,
      stdout: `Untagged: ${app}:1.0\n`,
      stderr: '',
    })
    expect((await regctl('tags', app)).stdout).toBe('1.1\nstable\n')
    expect((await registry.manifest('app', digest))?.digest).toBe(digest)
  })

  it('R86: takes a digest with every tag that stands for it', async () => {
    expect(await regctl('rmi', `${app}@${digest}`, '-y')).toMatchObject({
      code: 0,
      stdout: `Deleted: ${app}@${digest}\n`,
      stderr: '',
    })
    expect((await regctl('tags', app)).stdout).toBe('')
  })

  it('needs --yes where there is no terminal to ask at', async () => {
    const before = registry.requests().length
    expect(await regctl('delete', `${app}:1.0`)).toMatchObject({
      code: 2,
      stdout: '',
      stderr:
        'error: deleting needs to be confirmed, and there is no terminal to ask at\n' +
        'hint: Give `--yes` to delete, or `--dry-run` to see what would go\n',
    })
    expect(registry.requests().length).toBe(before)
  })

  it.skipIf(missingTool('script'))('asks at a terminal, and says which tags go with a digest', async () => {
    const answer = (typed: string, reference: string) => {
      const command = `"${process.execPath}" "${START_FILE}" delete ${reference}`
      return run('script', ['-qec', command, '/dev/null'], {
        env: cleanEnvironment(folder.path),
        stdin: typed,
      })
    }
    const kept = await answer('n\n', `${app}:1.0`)
    expect(kept.stdout).toContain(`Delete the tag ${app}:1.0? [y/N] `)
    expect(kept.stdout).toContain(`Kept: ${app}:1.0\r\n`)
    expect(registry.writes().filter(line => line.startsWith('DELETE'))).toEqual([])
    const deleted = await answer('y\n', `${app}@${digest}`)
    expect(deleted.stdout).toContain(`Delete ${app}@${digest}, and with it the tags 1.0, 1.1, stable? [y/N] `)
    expect(deleted.stdout).toContain(`Deleted: ${app}@${digest}, with the tags 1.0, 1.1, stable\r\n`)
    expect(await registry.manifest('app', digest)).toBeUndefined()
  })

  it('R196: says in a dry run what would go, tags of a digest too, and writes nothing', async () => {
    const before = registry.writes().length
    const dry = await regctl('delete', `${app}:1.0`, `${app}@${digest}`, '--dry-run')
    expect(dry).toMatchObject({
      code: 0,
      stdout: `Would untag: ${app}:1.0\nWould delete: ${app}@${digest}, with the tags 1.0, 1.1, stable\n`,
      stderr: '',
    })
    const { stdout } = await regctl('delete', `${app}@${digest}`, '--dry-run', '--json')
    expect(schemaErrors('delete', stdout)).toEqual([])
    expect(JSON.parse(stdout)).toEqual({
      dryRun: true,
      results: [
        {
          reference: `${app}@${digest}`,
          place: app,
          digest,
          tags: ['1.0', '1.1', 'stable'],
          allTags: true,
          state: 'deleted',
        },
      ],
    })
    expect(registry.writes().length).toBe(before)
  })

  it('of a tag with a digest takes the tag, if it is that digest', async () => {
    const other = `sha256:${'a'.repeat(64)}`
    const refused = await regctl('delete', `${app}:1.0@${other}`, '--yes')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toBe(
      `error: ${app}:1.0 is ${digest}, not ${other}: it is left as it is\n` +
        'hint: Name the tag alone to delete it whatever it is\n',
    )
    const taken = await regctl('delete', `${app}:1.0@${digest}`, '--yes')
    expect(taken).toMatchObject({ code: 0, stdout: `Untagged: ${app}:1.0\n` })
    expect((await regctl('tags', app)).stdout).toBe('1.1\nstable\n')
  })

  it('goes on after what is not there, and tells it', async () => {
    const deleted = await regctl('delete', `${app}:none`, `${app}:1.0`, '--yes')
    expect(deleted).toMatchObject({
      code: 3,
      stdout: `Untagged: ${app}:1.0\n`,
      stderr: `error: there is no ${app}:none\n`,
    })
    const { stdout, stderr, code } = await regctl('delete', `${app}:none`, `${app}:1.1`, '--yes', '--json')
    expect({ stderr, code }).toEqual({ stderr: '', code: 3 })
    expect(schemaErrors('delete', stdout)).toEqual([])
    expect(JSON.parse(stdout).results).toMatchObject([
      { reference: `${app}:none`, state: 'failed', error: { kind: 'not-found' } },
      { reference: `${app}:1.1`, tag: '1.1', digest, state: 'deleted' },
    ])
  })

  it('takes nothing that is not named', async () => {
    const refused = await regctl('delete', app, '--yes')
    expect(refused).toMatchObject({
      code: 2,
      stderr: `error: ${app} names neither a tag nor a digest\nhint: Say what to delete, as in ${app}:latest\n`,
    })
    expect(registry.writes().filter(line => line.startsWith('DELETE'))).toEqual([])
  })

  it('takes a name out of a layout, and leaves its blobs', async () => {
    const copy = join(folder.path, 'copy')
    await regctl('copy', `oci:${layout}:1.0`, `oci:${copy}:1.0`)
    await regctl('tag', `oci:${copy}:1.0`, 'stable')
    const deleted = await regctl('delete', `oci:${copy}:1.0`, `oci:${copy}:stable`, '--yes')
    expect(deleted).toMatchObject({
      code: 0,
      stdout: ['1.0', 'stable']
        .map(name => `Untagged: oci:${copy}:${name} (its blobs stay in oci:${copy})\n`)
        .join(''),
      stderr: '',
    })
    expect(JSON.parse(await readFile(join(copy, 'index.json'), 'utf8')).manifests).toEqual([])
    await access(join(copy, 'blobs', digest.replace(':', '/')))
    expect((await regctl('delete', `oci:${copy}:1.0`, '--yes')).code).toBe(3)
    expect((await regctl('delete', `oci:${copy}`, '--yes')).code).toBe(2)
  })
})

describe.skipIf(missingTool('docker-registry'))('delete on docker-registry', () => {
  it('R86, R87: says that tags are not deleted there, and what can be done', async () => {
    await using docker = await startDockerRegistry({ deletes: true })
    const app = `${docker.host}/app`
    await regctl('push', `oci:${layout}:1.0`, `${app}:1.0`, `${app}:1.1`)
    const refused = await regctl('delete', `${app}:1.0`, '--yes')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(
      /^error: .*\/app:1\.0 stays: the registry deletes no tags \(it answered 4\d\d\)\n/,
    )
    expect(refused.stderr).toContain(
      'hint: `--by-replacing` deletes the tag by a detour over an image made for it; ' +
        `\`regctl delete ${app}@${digest}\` deletes the image, and takes along: 1.1\n`,
    )
    expect((await regctl('tags', app)).stdout).toBe('1.0\n1.1\n')

    const replaced = await regctl('delete', `${app}:1.0`, '--yes', '--by-replacing')
    expect(replaced).toMatchObject({ code: 0, stdout: `Untagged: ${app}:1.0\n`, stderr: '' })
    expect((await regctl('tags', app)).stdout).toBe('1.1\n')
    expect((await regctl('pull', `${app}@${digest}`, join(folder.path, 'pulled'))).code).toBe(0)

    expect((await regctl('delete', `${app}:1.1`, '--yes', '--by-replacing')).code).toBe(0)
    expect((await regctl('digest', `${app}@${digest}`)).stdout).toBe(`${digest}\n`)
    expect((await regctl('delete', `${app}@${digest}`, '--yes')).code).toBe(0)
    expect((await regctl('digest', `${app}@${digest}`)).code).toBe(3)
  })

  it('leaves the tag where it is when deletes are not enabled', async () => {
    await using docker = await startDockerRegistry()
    const app = `${docker.host}/app`
    await regctl('push', `oci:${layout}:1.0`, `${app}:1.0`)
    const refused = await regctl('delete', `${app}:1.0`, '--yes', '--by-replacing')
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('the registry does not allow it')
    expect(refused.stderr).toContain('hint: Deleting may have to be enabled in the registry')
    expect((await regctl('digest', `${app}:1.0`)).stdout).toBe(`${digest}\n`)
    const puts = (await docker.requests()).filter(
      ({ method, path }) => method === 'PUT' && path.endsWith('/1.0'),
    )
    expect(puts).toHaveLength(1)
  })

  it('R84: takes a manifest with a subject out of the list of referrers, and then the empty list', async () => {
    await using docker = await startDockerRegistry({ deletes: true })
    const app = `${docker.host}/app`
    await regctl('push', `oci:${layout}:1.0`, `${app}:1.0`)
    await regctl('push', `oci:${layout}:signature`, `${app}:signature`)
    const listTag = digest.replace(':', '-')
    expect((await regctl('tags', app)).stdout).toContain(listTag)
    expect(await regctl('delete', `${app}@${referrer}`, '--yes')).toMatchObject({ code: 0, stderr: '' })
    expect((await regctl('tags', app)).stdout).toBe('1.0\n')
  })

  it.skipIf(missingTool('openssl'))('R120: asks for a token that allows to delete', async () => {
    await using docker = await startDockerRegistry({ deletes: true, tokenAuth: true })
    const login = { stdin: REGISTRY_USER.password }
    const user = ['--username', REGISTRY_USER.name, '--password-stdin']
    const app = `${docker.host}/app`
    const pushed = await regctlWith(login, 'push', `oci:${layout}:1.0`, `${app}:1.0`, ...user)
    expect(pushed.code).toBe(0)
    expect((await regctl('delete', `${app}@${digest}`, '--yes')).code).toBe(4)
    const deleted = await regctlWith(login, 'delete', `${app}@${digest}`, '--yes', ...user)
    expect(deleted).toMatchObject({ code: 0, stdout: `Deleted: ${app}@${digest}\n`, stderr: '' })
  })
})
