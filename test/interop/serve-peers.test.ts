import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { type DockerRegistry, startDockerRegistry } from '../support/docker-registry.js'
import { imagePath, missingImages } from '../support/images.js'
import { missingPeer, peer } from '../support/peers.js'
import { type RegistrySnapshot, snapshotOf } from '../support/registry-snapshot.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const missing = missingTool('docker-registry') ?? missingPeer('crane', 'oras', 'skopeo') ?? missingImages()

const SKOPEO_COPY = ['copy', '--all', '--preserve-digests', '--insecure-policy']

/** An image for three platforms, with attestations, and one for a single platform. */
const MULTI = 'buildkit-oci-multi-attest.tar'
const SINGLE = 'crane-pull-oci'

/** What other tools write. A docker-archive has no manifest, so that an exact one can't come of it. */
const WRITERS = [
  {
    tool: 'crane',
    what: 'oci',
    write: (from: string, file: string) => ['pull', '--insecure', '--format=oci', from, file],
    isExact: true,
  },
  {
    tool: 'crane',
    what: 'tarball',
    write: (from: string, file: string) => ['pull', '--insecure', from, file],
    isExact: false,
  },
  {
    tool: 'oras',
    what: 'oci',
    write: (from: string, file: string) => ['cp', '--from-plain-http', '--to-oci-layout', from, `${file}:1`],
    isExact: true,
  },
  {
    tool: 'oras',
    what: 'backup.tar',
    write: (from: string, file: string) => ['backup', '--plain-http', '--output', file, from],
    isExact: true,
  },
  ...['oci', 'oci-archive', 'dir', 'docker-archive'].map(format => ({
    tool: 'skopeo' as const,
    what: format,
    write: (from: string, file: string) => [
      ...SKOPEO_COPY.filter(flag => format !== 'docker-archive' || flag !== '--preserve-digests'),
      ...[
        '--src-tls-verify=false',
        `docker://${from}`,
        `${format}:${file}${format === 'dir' ? '' : ':x/y:1'}`,
      ],
    ],
    isExact: format !== 'docker-archive',
  })),
] as const

describe.skipIf(missing !== undefined)('other tools', () => {
  let docker: DockerRegistry
  let embedded: TestRegistry
  let folder: TemporaryFolder
  let multi: RegistrySnapshot
  let single: RegistrySnapshot

  beforeAll(async () => {
    folder = await temporaryFolder()
    docker = await startDockerRegistry()
    embedded = await startRegistry()
    await run('push', imagePath(MULTI), `${docker.host}/multi:1`)
    await run('push', imagePath(SINGLE), `${docker.host}/single:1`, `${embedded.host}/single:1`)
    multi = await snapshotOf(docker.host, 'multi', ['1'])
    single = await snapshotOf(docker.host, 'single', ['1'])
  })

  afterAll(async () => {
    await docker[Symbol.asyncDispose]()
    await embedded[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  const at = (name: string) => join(folder.path, name)

  describe.each([
    ['crane', (from: string, to: string) => ['copy', '--insecure', from, to]],
    ['oras', (from: string, to: string) => ['cp', '--from-plain-http', '--to-plain-http', from, to]],
    [
      'skopeo',
      (from: string, to: string) => [
        ...SKOPEO_COPY,
        ...['--src-tls-verify=false', '--dest-tls-verify=false'],
        ...[`docker://${from}`, `docker://${to}`],
      ],
    ],
  ] as const)('%s', (tool, copy) => {
    it('copies into regctl serve, within it, and out of it', async () => {
      const ways = [
        [`${docker.host}/multi:1`, embedded.host, `${tool}/in`],
        [`${embedded.host}/${tool}/in:1`, embedded.host, `${tool}/within`],
        [`${embedded.host}/${tool}/within:1`, docker.host, `${tool}/out`],
      ] as const
      for (const [from, host, name] of ways) {
        await peer(tool, copy(from, `${host}/${name}:1`))
        expect(await snapshotOf(host, name, ['1'])).toEqual(multi)
      }
    })
  })

  it('list and delete what is in regctl serve', async () => {
    const { host } = embedded
    for (const tag of ['a', 'b', 'c']) await run('push', imagePath(SINGLE), `${host}/listed:${tag}`)
    const crane = await peer('crane', ['ls', '--insecure', `${host}/listed`])
    const oras = await peer('oras', ['repo', 'tags', '--plain-http', `${host}/listed`])
    const skopeo = await peer('skopeo', ['list-tags', '--tls-verify=false', `docker://${host}/listed`])
    expect(crane.stdout.trim().split('\n')).toEqual(['a', 'b', 'c'])
    expect(oras.stdout.trim().split('\n')).toEqual(['a', 'b', 'c'])
    expect(JSON.parse(skopeo.stdout).Tags).toEqual(['a', 'b', 'c'])
    expect((await peer('crane', ['catalog', '--insecure', host])).stdout).toContain('listed\n')
    await peer('oras', ['manifest', 'delete', '--force', '--plain-http', `${host}/listed:a`])
    expect(await embedded.manifest('listed', 'a')).toBeUndefined()
  })

  it('make new images from what is in regctl serve', async () => {
    const { host } = embedded
    await run('export', `${host}/single:1`, at('rootfs.tar'))
    await peer('crane', [
      'append',
      '--insecure',
      '-b',
      `${host}/single:1`,
      '-f',
      at('rootfs.tar'),
      '-t',
      `${host}/appended:1`,
    ])
    await peer('crane', [
      'mutate',
      '--insecure',
      '--label',
      'a=b',
      '-t',
      `${host}/mutated:1`,
      `${host}/appended:1`,
    ])
    await peer('crane', ['validate', '--insecure', '--remote', `${host}/mutated:1`])
    const { manifests } = await snapshotOf(host, 'mutated', ['1'])
    expect(manifests).not.toEqual(single.manifests)
    await run('verify', `${host}/mutated:1`, '--full')
  })

  it.each(WRITERS)('$tool writes $what, which a push takes', async ({ tool, what, write, isExact }) => {
    const reference = `${embedded.host}/single:1`
    const file = at(`${tool}-${what}`)
    await peer(tool, write(reference, file))
    const name = `written-by/${tool}-${what}`
    await run('push', file, `${docker.host}/${name}:1`)
    const arrived = await snapshotOf(docker.host, name, ['1'])
    if (isExact) expect(arrived).toEqual(single)
    else await run('verify', reference, `${docker.host}/${name}:1`)
  })

  it.each([
    ['crane', 'oci', (file: string, to: string) => ['push', '--insecure', file, to]],
    ['crane', 'docker-archive', (file: string, to: string) => ['push', '--insecure', file, to]],
    [
      'oras',
      'oci',
      (file: string, to: string) => ['cp', '--from-oci-layout', '--to-plain-http', `${file}:1`, to],
    ],
    [
      'oras',
      'oci-archive',
      (file: string, to: string) => ['cp', '--from-oci-layout', '--to-plain-http', `${file}:1`, to],
    ],
  ] as const)('%s pushes the %s that a pull wrote', async (tool, format, push) => {
    const file = at(`pulled-by-${tool}-${format}${format.endsWith('archive') ? '.tar' : ''}`)
    await run('pull', `${embedded.host}/single:1`, file, '--format', format)
    const name = `pushed-by-${tool}-${format}`
    await peer(tool, push(file, `${embedded.host}/${name}:1`))
    expect(await snapshotOf(embedded.host, name, ['1'])).toEqual(single)
  })
})

/** Runs `regctl` and wants it to succeed without a word of warning. */
async function run(...parameters: string[]): Promise<void> {
  const { code, stderr } = await regctl(...parameters)
  expect({ parameters, code, stderr }).toEqual({ parameters, code: 0, stderr: '' })
}
