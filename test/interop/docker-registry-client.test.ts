import { Readable } from 'node:stream'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import { type Digest, digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import type { BlobContent, RawManifest } from '../../src/content/store.js'
import { readLimited } from '../../src/content/verify.js'
import { anonymous, type CredentialLookup } from '../../src/credentials/credential-store.js'
import { RegistryClient } from '../../src/registry/client.js'
import type { Repository } from '../../src/registry/repository.js'
import { type DockerRegistry, REGISTRY_USER, startDockerRegistry } from '../support/docker-registry.js'
import { missingTool } from '../support/tools.js'

const withoutRegistry = missingTool('docker-registry')
const withoutTokens = missingTool('docker-registry', 'openssl')

function blobOf(text: string, mediaType: string, origin: Repository): BlobContent {
  const bytes = Buffer.from(text)
  return {
    descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length },
    origin,
    open: async (from = 0) => Readable.from([bytes.subarray(from)].filter(part => part.length > 0)),
  }
}

function imageOf(config: BlobContent, layers: readonly BlobContent[]): RawManifest {
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: config.descriptor,
    layers: layers.map(layer => layer.descriptor),
  }
  return rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
}

function passwordFor(username: string, password: string): CredentialLookup {
  return { find: async () => ({ kind: 'password', username, password, from: 'the test' }) }
}

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const item of items) all.push(item)
  return all
}

describe.skipIf(withoutRegistry)('a Repository with docker-registry', () => {
  let registry: DockerRegistry
  let client: RegistryClient
  const context = createContext()

  beforeAll(async () => {
    registry = await startDockerRegistry({ deletes: true })
    client = new RegistryClient({ credentials: anonymous })
  })
  afterAll(async () => {
    await client[Symbol.asyncDispose]()
    await registry[Symbol.asyncDispose]()
  })

  async function pushImage(name: string, tags: readonly string[]) {
    const repository = client.repository(registry.host, name)
    const config = blobOf(`{"os":"linux","name":"${name}"}`, MediaType.ociConfig, repository)
    const layers = ['a layer', ''].map(text => blobOf(text, MediaType.ociLayer, repository))
    const results: string[] = []
    for (const blob of [config, ...layers]) results.push(await repository.putBlob(blob, context))
    const manifest = imageOf(config, layers)
    await repository.putManifest(manifest, tags, context)
    return { repository, config, layers, manifest, results }
  }

  test('pushes an image with an empty layer, and pulls the same bytes', async () => {
    const { repository, layers, manifest, results } = await pushImage('push/pull', ['one', 'two'])
    expect(results).toEqual(['copied', 'copied', 'copied'])
    for (const name of ['one', 'two', manifest.descriptor.digest]) {
      const pulled = await repository.getManifest(name, context)
      expect(pulled.descriptor).toEqual(manifest.descriptor)
      expect(Buffer.from(pulled.bytes)).toEqual(Buffer.from(manifest.bytes))
    }
    for (const { descriptor } of layers) {
      const bytes = await readLimited(await repository.openBlob(descriptor, context), 100, 'layer')
      expect(digestOf(bytes)).toBe(descriptor.digest)
      expect(await repository.statBlob(descriptor.digest, context)).toBe(descriptor.size)
    }
    expect(await repository.hasManifest(manifest.descriptor.digest, context)).toBe(true)
    expect(await repository.statManifest('one', context)).toEqual(manifest.descriptor)
    expect(await collect(repository.listTags(context))).toEqual(['one', 'two'])
  })

  test('sends nothing that is there already', async () => {
    await pushImage('again', ['1'])
    expect((await pushImage('again', ['1'])).results).toEqual(['exists', 'exists', 'exists'])
  })

  test('reads a blob from an offset on', async () => {
    const { repository, layers } = await pushImage('offset', ['1'])
    const layer = layers[0]?.descriptor
    if (layer === undefined) throw new Error('the image has no layer')
    const bytes = await readLimited(await repository.openBlob(layer, context, 2), 100, 'layer')
    expect(bytes.toString()).toBe('layer')
  })

  test('mounts a blob from the repository that it comes from', async () => {
    const { repository, layers } = await pushImage('mount/source', ['1'])
    const target = client.repository(registry.host, 'mount/target')
    const layer = layers[0]
    if (layer === undefined) throw new Error('the image has no layer')
    expect(await target.putBlob({ ...layer, origin: repository }, context)).toBe('mounted')
    expect(target.mountedFrom(layer.descriptor.digest)).toBe('mount/source')
  })

  test('R78, R80, R81: keeps the list of referrers under a tag, and finds them there', async () => {
    const { repository, config, manifest } = await pushImage('referrers', ['1'])
    const subject = manifest.descriptor.digest
    expect(await repository.listReferrers(subject, context)).toEqual([])
    const signatures = ['a', 'b', 'c'].map(note => {
      const document = {
        schemaVersion: 2,
        mediaType: MediaType.ociManifest,
        artifactType: 'application/x.test',
        config: config.descriptor,
        layers: [],
        subject: manifest.descriptor,
        annotations: { note },
      }
      return rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    })
    await Promise.all(signatures.map(signature => repository.putManifest(signature, [], context)))
    for (const signature of signatures) await repository.putManifest(signature, [], context)
    const found = await repository.listReferrers(subject, context)
    expect(found.map(({ annotations }) => annotations?.note).sort()).toEqual(['a', 'b', 'c'])
    expect(found[0]).toMatchObject({ artifactType: 'application/x.test' })
    expect(await collect(repository.listTags(context))).toEqual(['1', subject.replace(':', '-')])
  })

  test('R81: does not overwrite something else under the tag of the referrers', async () => {
    const { repository, manifest, config } = await pushImage('occupied', ['1'])
    const tag = manifest.descriptor.digest.replace(':', '-')
    await repository.putManifest(manifest, [tag], context)
    const document = {
      schemaVersion: 2,
      mediaType: MediaType.ociManifest,
      config: config.descriptor,
      layers: [],
      subject: manifest.descriptor,
    }
    const signature = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
    await expect(repository.putManifest(signature, [], context)).rejects.toMatchObject({
      code: 'not-an-index',
    })
    expect((await repository.getManifest(tag, context)).descriptor).toEqual(manifest.descriptor)
  })

  test('deletes by digest, refuses to delete a digest for a tag, and says that nothing was there', async () => {
    const { repository, layers, manifest } = await pushImage('delete', ['1'])
    await expect(repository.deleteTag('1', context)).rejects.toMatchObject({
      message: expect.stringContaining(`deletion of ${registry.host}/delete:1 failed`),
      hint: expect.stringContaining('by digest only'),
    })
    expect(await repository.deleteManifest(manifest.descriptor.digest, context)).toBe(true)
    expect(await repository.statManifest('1', context)).toBeUndefined()
    expect(await repository.deleteManifest(manifest.descriptor.digest, context)).toBe(false)
    const layer = layers[0]?.descriptor.digest ?? ('' as Digest)
    expect(await repository.deleteBlob(layer, context)).toBe(true)
    expect(await repository.statBlob(layer, context)).toBeUndefined()
  })

  test('says what is not there', async () => {
    const { repository } = await pushImage('missing', ['1'])
    await expect(repository.getManifest('2', context)).rejects.toMatchObject({
      kind: 'not-found',
      status: 404,
      message: expect.stringMatching(
        /^pull of manifest 127.0.0.1:\d+\/missing:2 failed: the manifest was not found: GET 127.0.0.1:\d+\/v2\/missing\/manifests\/2 answered 404 \(MANIFEST_UNKNOWN: manifest unknown\)$/,
      ),
    })
    const digest = digestOf(Buffer.from('nowhere'))
    await expect(repository.openBlob({ mediaType: '', digest, size: 7 }, context)).rejects.toMatchObject({
      kind: 'not-found',
    })
  })

  test('refuses a manifest whose blobs are missing, naming its media type', async () => {
    const repository = client.repository(registry.host, 'incomplete')
    const config = blobOf('{"never":"pushed"}', MediaType.ociConfig, repository)
    await expect(repository.putManifest(imageOf(config, []), ['1'], context)).rejects.toMatchObject({
      message: expect.stringContaining('(application/vnd.oci.image.manifest.v1+json) failed'),
      codes: expect.arrayContaining(['MANIFEST_BLOB_UNKNOWN']),
    })
  })
})

describe.skipIf(withoutTokens).each([
  ['a password', { htpasswd: true }],
  ['a token', { tokenAuth: true }],
])('a Repository with docker-registry that asks for %s', (_what, options) => {
  let registry: DockerRegistry
  beforeAll(async () => {
    registry = await startDockerRegistry(options)
  })
  afterAll(async () => {
    await registry[Symbol.asyncDispose]()
  })

  test('pushes, mounts and pulls with the right password', async () => {
    const credentials = passwordFor(REGISTRY_USER.name, REGISTRY_USER.password)
    await using client = new RegistryClient({ credentials })
    const context = createContext()
    const repository = client.repository(registry.host, 'private/one')
    const config = blobOf('{}', MediaType.ociConfig, repository)
    expect(await repository.putBlob(config, context)).toBe('copied')
    expect(await client.repository(registry.host, 'private/two').putBlob(config, context)).toBe('mounted')
    const manifest = imageOf(config, [])
    await repository.putManifest(manifest, ['1'], context)
    expect((await repository.getManifest('1', context)).descriptor).toEqual(manifest.descriptor)
  })

  test.each([
    ['no', anonymous, 'Log in with `regctl login'],
    ['a wrong', passwordFor(REGISTRY_USER.name, 'canary-secret'), 'regctl login'],
  ])('is denied with %s password, with a hint and without the secret', async (_word, credentials, hint) => {
    const lines: string[] = []
    await using client = new RegistryClient({ credentials, log: line => lines.push(line) })
    const repository = client.repository(registry.host, 'private/one')
    const config = blobOf('{}', MediaType.ociConfig, repository)
    for (const attempt of [
      () => repository.getManifest('1', createContext()),
      () => repository.putBlob(config, createContext()),
    ]) {
      const error = await attempt().catch((reason: unknown) => reason)
      expect(error).toMatchObject({ kind: 'denied', status: 401, hint: expect.stringContaining(hint) })
      expect(`${error} ${JSON.stringify(error)} ${lines.join(' ')}`).not.toContain('canary-secret')
    }
    expect(lines).not.toEqual([])
  })
})
