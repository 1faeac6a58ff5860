import { createReadStream, createWriteStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Digest, Digester, digestOf } from '../../src/content/digest.js'
import { rawManifest } from '../../src/content/manifest.js'
import { MediaType } from '../../src/content/media-types.js'
import { configBytes } from '../support/image-builder.js'
import { readPeakMemory, withPeakMemory } from '../support/peak-memory.js'
import { randomStream } from '../support/random-bytes.js'
import { regctlWith } from '../support/run.js'
import { type Answer, answer, startScripted } from '../support/scripted-server.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'

const LAYER_BYTES = 300_000_000
/** What a pull takes for a layer of any size, with some room; far less than the layer. */
const LIMIT_MB = 200

/** Passes bytes on, and hashes them. */
async function* hashed(input: AsyncIterable<Buffer>, digester: Digester): AsyncGenerator<Buffer> {
  for await (const chunk of input) {
    digester.update(chunk)
    yield chunk
  }
}

/** An image of one large layer, whose bytes lie in a file, in a registry. */
async function startLargeRegistry(folder: TemporaryFolder) {
  const path = join(folder.path, 'layer')
  const [plain, packed] = [new Digester(), new Digester()]
  const stored = (content: Readable) => hashed(content, packed)
  await pipeline(
    hashed(randomStream(1, LAYER_BYTES) as AsyncIterable<Buffer>, plain),
    createGzip({ level: 1 }),
    source => stored(source as Readable),
    createWriteStream(path),
  )
  const layer = { mediaType: MediaType.ociLayerGzip, digest: packed.digest(), size: (await stat(path)).size }
  const config = configBytes([plain.digest()])
  const document = {
    schemaVersion: 2,
    mediaType: MediaType.ociManifest,
    config: { mediaType: MediaType.ociConfig, digest: digestOf(config), size: config.length },
    layers: [layer],
  }
  const manifest = rawManifest(MediaType.ociManifest, Buffer.from(JSON.stringify(document)))
  const blob: Answer = ({ path: asked }, response) => {
    const digest = asked.slice(asked.lastIndexOf('/') + 1) as Digest
    if (digest !== layer.digest) response.end(config)
    else createReadStream(path).pipe(response.writeHead(200, { 'content-length': layer.size }))
  }
  return await startScripted([
    [/^GET \/v2\/$/, answer(200)],
    [/\/manifests\//, answer(200, { 'content-type': MediaType.ociManifest }, manifest.bytes)],
    [/\/blobs\//, blob],
  ])
}

describe('the memory of a pull', () => {
  it('does not grow with a layer, be it written as it is or plain', { timeout: 180_000 }, async () => {
    await using folder = await temporaryFolder()
    await using server = await startLargeRegistry(folder)
    for (const flags of [[], ['--uncompressed']]) {
      const out = join(folder.path, `app${flags.join('')}.tar`)
      const options = { env: withPeakMemory(folder.path), timeoutMs: 150_000 }
      const { code } = await regctlWith(options, 'pull', `${server.host}/app:1`, out, ...flags)
      expect(code).toBe(0)
      const { size } = await stat(out)
      expect(size).toBeGreaterThan(LAYER_BYTES / (flags.length > 0 ? 1 : 4))
      expect(readPeakMemory(folder.path)).toBeLessThan(LIMIT_MB)
    }
  })
})
