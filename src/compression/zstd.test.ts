import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import * as zlib from 'node:zlib'
import { expect, it } from 'vitest'
import { decompress } from './decompress.js'
import { zstdStream } from './zstd.js'

const content = Buffer.alloc(300_000, 'layer')
const input = () => Readable.from([content])

it('compresses what the decoder gives back, or says which Node can (R175)', async () => {
  if ('createZstdCompress' in zlib) {
    const output = decompress(zstdStream(input()), 'zstd', { what: 'x' })
    expect((await buffer(output)).equals(content)).toBe(true)
  } else {
    expect(() => zstdStream(input())).toThrowError(
      expect.objectContaining({
        code: 'zstd-unavailable',
        kind: 'usage',
        hint: 'Run regctl with Node 22.15 or newer, or use gzip.',
      }),
    )
  }
})
