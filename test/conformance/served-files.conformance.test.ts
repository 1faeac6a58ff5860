import { statSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openFolder } from '../../src/archive/open-folder.js'
import { createContext } from '../../src/content/context.js'
import { digestOf } from '../../src/content/digest.js'
import type { ImageFile } from '../../src/content/image-file.js'
import { childrenOf, parseManifest } from '../../src/content/manifest.js'
import { isManifestType } from '../../src/content/media-types.js'
import { openLayout } from '../../src/layout/layout-source.js'
import { createRegistryServer, type RegistryServer } from '../../src/server/server.js'
import { SourceCollection } from '../../src/server/source-collection.js'
import { validImages } from '../support/images.js'
import { errorCodeOf, RawClient } from './raw-client.js'

const FOLDERS = validImages().filter(
  ({ expected, path }) => expected.oci !== undefined && statSync(path).isDirectory(),
)

/** The layouts of the collection, each as a repository, its images under the tags t0, t1, … */
describe.runIf(FOLDERS.length > 0)('layouts that are served as a registry', () => {
  const files: ImageFile[] = []
  const lines: string[] = []
  let server: RegistryServer
  let client: RawClient
  const repositoryOf = (name: string) => `layouts/${name.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`

  beforeAll(async () => {
    const served = []
    for (const { name, path } of FOLDERS) {
      const file = await openLayout(await openFolder(path), createContext())
      files.push(file)
      for (const [position, { root, source }] of file.images.entries()) {
        served.push({ repository: repositoryOf(name), tag: `t${position}`, root, source })
      }
    }
    server = createRegistryServer({
      repositories: new SourceCollection(served),
      log: line => lines.push(line),
    })
    const { host, port } = await server.listen('127.0.0.1', 0)
    client = new RawClient(`http://${host}:${port}`)
  })
  afterAll(async () => {
    await server.close()
    for (const file of files) await file[Symbol.asyncDispose]()
  })

  /** Pulls a manifest and all below it; gives the digests that are not there. */
  const pull = async (repository: string, target: string): Promise<string[]> => {
    const { status, headers, body } = await client.send('GET', `/v2/${repository}/manifests/${target}`)
    if (status === 404) return [target]
    expect(status, body.toString()).toBe(200)
    const digest = `${headers['docker-content-digest']}`
    expect(digestOf(body, digest.startsWith('sha512:') ? 'sha512' : 'sha256')).toBe(digest)
    const parsed = parseManifest(body, headers['content-type'], digest)
    const absent: string[] = []
    for (const child of childrenOf(parsed)) {
      if (parsed.kind === 'index' && isManifestType(child.mediaType)) {
        absent.push(...(await pull(repository, child.digest)))
        continue
      }
      const blob = await client.send('GET', `/v2/${repository}/blobs/${child.digest}`)
      if (blob.status === 404) absent.push(child.digest)
      else
        expect(digestOf(blob.body, child.digest.startsWith('sha512:') ? 'sha512' : 'sha256')).toBe(
          child.digest,
        )
    }
    return absent
  }

  test.each(FOLDERS)('$name is pulled whole, but for what it lacks', async ({ name, expected }) => {
    const repository = repositoryOf(name)
    const list = await client.send('GET', `/v2/${repository}/tags/list`)
    const { tags } = JSON.parse(list.body.toString())
    expect(tags.length).toBeGreaterThan(0)
    const absent: string[] = []
    for (const tag of tags) absent.push(...(await pull(repository, tag)))
    expect([...new Set(absent)].toSorted()).toEqual([...(expected.oci?.absent ?? [])].toSorted())
  })

  test('leaves out an image that is broken, and says so', async () => {
    await client.send('GET', `/v2/${repositoryOf('third-party/ggcr-test-index')}/tags/list`)
    expect(lines.join('\n')).toMatch(
      /warning: left out .*"application\/vnd.oci.descriptor.v1\+json", which is not known/,
    )
  })

  test('refuses to be written to', async () => {
    const put = await client.send('DELETE', `/v2/${repositoryOf(FOLDERS[0]?.name ?? '')}/manifests/t0`)
    expect([put.status, errorCodeOf(put)]).toEqual([405, 'UNSUPPORTED'])
  })
})
