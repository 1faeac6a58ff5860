import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type BuiltImage, buildImage, buildIndex, writeLayout } from '../support/image-builder.js'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry, type TestRegistry } from './test-registry.js'

const AMD = { os: 'linux', architecture: 'amd64' }
const ARM = { os: 'linux', architecture: 'arm64' }

describe('images in registries', () => {
  let folder: TemporaryFolder
  let registry: TestRegistry
  let images: BuiltImage[]
  /** An index of two platforms, in the layout and under `app:1` and `app:2`. */
  let digest: string
  let layout: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    registry = await startRegistry()
    layout = join(folder.path, 'layout')
    images = [
      await buildImage({ platform: AMD, layers: [{ a: 'amd\n' }, { seed: 2, size: 50_000 }] }),
      await buildImage({ platform: ARM, layers: [{ a: 'arm\n' }] }),
    ]
    const manifests = images.map(({ manifest }) => manifest)
    const index = buildIndex(manifests.map((manifest, at) => ({ manifest, platform: at === 0 ? AMD : ARM })))
    digest = index.descriptor.digest
    const blobs = new Map(images.flatMap(image => [...image.blobs]))
    await writeLayout(layout, [{ manifest: index, tag: '1' }], blobs, manifests)
    const pushed = await regctl('push', layout, `${registry.host}/app:1`, `${registry.host}/app:2`)
    expect(pushed).toMatchObject({ code: 0, stderr: '' })
  })

  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  it('are known by their digest where a tag is named with it, and a tag that has moved is told', async () => {
    const first = `${registry.host}/app:1@${digest}`
    expect(await regctl('digest', first)).toMatchObject({ code: 0, stdout: `${digest}\n`, stderr: '' })
    const arm = images[1]?.manifest.descriptor.digest
    const moved = await regctl('pull', `${registry.host}/app:1@${arm}`, join(folder.path, 'moved'))
    expect(moved).toMatchObject({
      code: 0,
      stderr: `warning: ${registry.host}/app:1 is ${digest} by now, not ${arm}: the digest counts\n`,
    })
    expect(moved.stdout).toContain(`Digest: ${arm}\n`)
    const gone = await regctl('copy', `${registry.host}/app:gone@${arm}`, join(folder.path, 'gone'))
    expect(gone.stderr).toBe(
      `warning: there is no tag ${registry.host}/app:gone any more: the digest counts\n`,
    )
  })

  it('have a digest and tags', async () => {
    const { host } = registry
    expect(await regctl('digest', `${host}/app:1`)).toMatchObject({ code: 0, stdout: `${digest}\n` })
    expect(await regctl('digest', layout)).toMatchObject({ code: 0, stdout: `${digest}\n` })
    const json = await regctl('digest', `${host}/app:1`, '--json')
    expect(JSON.parse(json.stdout)).toMatchObject({ digest, size: expect.any(Number) })
    expect(schemaErrors('digest', json.stdout)).toEqual([])
    expect(schemaErrors('error', (await regctl('digest', `${host}/none`, '--json')).stdout)).toEqual([])
    expect(schemaErrors('digest', JSON.stringify({ digest }))).not.toEqual([])
    expect(await regctl('tags', `${host}/app`)).toMatchObject({ code: 0, stdout: '1\n2\n' })
    const tags = await regctl('ls', `${host}/app`, '--limit', '1', '--json')
    expect(JSON.parse(tags.stdout)).toEqual({ repository: `${host}/app`, tags: ['1'] })
  })
})
