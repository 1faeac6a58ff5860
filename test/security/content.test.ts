import { describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import type { Descriptor } from '../../src/content/descriptor.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import { copy } from '../../src/copy/copy.js'
import { putImage } from '../support/copy-fixtures.js'
import { BYTES, DIGEST, MANIFEST } from '../support/registry-fixtures.js'
import { regctl } from '../support/run.js'
import { answer, type SeenRequest, startScripted } from '../support/scripted-server.js'
import { temporaryFolder } from '../support/temporary-folder.js'

/** A registry whose tag moves on: the first who gets it gets `MANIFEST`. */
async function startMoving() {
  let asked = 0
  const other = Buffer.from(`${MANIFEST.bytes.toString().slice(0, -1)}\n}`)
  const byTag = ({ method }: SeenRequest) => {
    if (method === 'GET') asked++
    return asked < 2 ? MANIFEST.bytes : other
  }
  return await startScripted([
    [
      /\/manifests\/latest$/,
      (request, response) =>
        response.writeHead(200, { 'content-type': MediaType.ociManifest }).end(byTag(request)),
    ],
    [/\/manifests\/sha256:/, answer(200, { 'content-type': MediaType.ociManifest }, MANIFEST.bytes)],
    [new RegExp(`/blobs/${DIGEST}`), answer(200, {}, BYTES)],
    [/^GET .*\/referrers\//, answer(404)],
  ])
}

describe('R206: a tag is resolved once', () => {
  test.each([
    ['copy', (host: string, to: string) => ['copy', `${host}/a:latest`, `oci:${to}/layout:1`, '--quiet']],
    ['pull', (host: string, to: string) => ['pull', `${host}/a:latest`, `oci:${to}/layout:1`, '--quiet']],
    ['digest', (host: string) => ['digest', `${host}/a:latest`]],
    ['manifest', (host: string) => ['manifest', `${host}/a:latest`]],
  ])('by %s, which goes on with the digest', async (verb, parameters) => {
    await using server = await startMoving()
    await using folder = await temporaryFolder()
    const { code, stdout, stderr } = await regctl(...parameters(server.host, folder.path))
    expect(stderr).not.toContain('error')
    expect(code).toBe(0)
    const asked = server.lines().filter(line => line.endsWith('/manifests/latest'))
    expect(asked.filter(line => line.startsWith('GET')).length).toBeLessThanOrEqual(1)
    if (verb === 'manifest') expect(stdout).toBe(`${MANIFEST.bytes}`)
    else expect(stdout).toContain(MANIFEST.descriptor.digest)
  })
})

describe('R230: a child of an index that is not what its descriptor says is refused', () => {
  async function copyIndexOf(change: (image: Descriptor) => Partial<Descriptor>, isSecond = false) {
    const context = createContext()
    const source = new MemoryStore('source')
    const { descriptor } = await putImage(source, ['a'])
    const { mediaType, digest, size } = descriptor
    const right = { mediaType, digest, size }
    const manifests = [...(isSecond ? [right] : []), { ...right, ...change(descriptor) }]
    const document = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests }
    const index = rawManifest(MediaType.ociIndex, Buffer.from(JSON.stringify(document)))
    await source.putManifest(index, ['1'], context)
    const sink = new MemoryStore('sink')
    const { targets } = await copy(source, '1', [{ sink, tags: ['1'] }], context)
    expect(await sink.statManifest('1', context)).toBeUndefined()
    return targets[0]?.error
  }

  test.each([
    ['an image for an index', () => ({ mediaType: MediaType.ociIndex }), 'of another kind'],
    ['an image for a layer', () => ({ mediaType: MediaType.ociLayerGzip }), 'which is not known'],
    ['an image for a config', () => ({ mediaType: MediaType.ociConfig }), 'which is not known'],
    ['another size', ({ size }: Descriptor) => ({ size: size + 1 }), 'bytes'],
    ['another digest', () => ({ digest: DIGEST }), DIGEST],
  ])('%s', async (_what, change, reason) => {
    await expect(copyIndexOf(change)).resolves.toMatchObject({ message: expect.stringContaining(reason) })
  })

  test.each([
    ['an index', () => ({ mediaType: MediaType.ociIndex }), 'but its content is of another kind'],
    ['another size', ({ size }: Descriptor) => ({ size: size + 1 }), 'bytes and also with'],
  ])('also where it was named rightly before: %s', async (_what, change, reason) => {
    await expect(copyIndexOf(change, true)).resolves.toMatchObject({
      message: expect.stringContaining(reason),
    })
  })
})
