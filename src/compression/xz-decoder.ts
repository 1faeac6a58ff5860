import { Readable } from 'node:stream'

export async function* xzDecoder(input: AsyncIterable<Buffer>): AsyncGenerator<Uint8Array> {
  const { default: xz } = await import('xz-decompress')
  const source = Readable.toWeb(Readable.from(input, { objectMode: false }))
  yield* new xz.XzReadableStream(source as never) as AsyncIterable<Uint8Array>
}
