import { PassThrough, Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.js'
import { readLimited, verifyBytes, verifyStream } from './verify.js'

const BYTES = Buffer.from('some content of a blob')
const EXPECTED = { digest: digestOf(BYTES), size: BYTES.length }

describe('verifyStream', () => {
  it('passes on the right bytes, however they are cut (R205)', async () => {
    for (const length of [1, 5, 100]) {
      const { bytes } = await collect(verifyStream(pieces(BYTES, length), EXPECTED, 'blob x'))
      expect(`${bytes}`).toBe(`${BYTES}`)
    }
  })

  it('takes sha512 and the empty blob', async () => {
    const long = { digest: digestOf(BYTES, 'sha512'), size: BYTES.length }
    expect((await collect(verifyStream(pieces(BYTES), long, 'blob x'))).error).toBeUndefined()
    const nothing = { digest: digestOf(Buffer.alloc(0)), size: 0 }
    expect((await collect(verifyStream(Readable.from([]), nothing, 'blob x'))).error).toBeUndefined()
  })

  it('refuses a wrong digest and gives the last bytes to nobody (R205)', async () => {
    const wrong = Buffer.from(BYTES)
    wrong[3] = 0
    const { error, bytes } = await collect(verifyStream(pieces(wrong, 4), EXPECTED, 'blob x'))
    expect(error).toMatchObject({ kind: 'corrupt', code: 'digest-mismatch' })
    expect(error?.message).toBe(
      `blob x should have the digest ${EXPECTED.digest} but has ${digestOf(wrong).slice(0, 19)}…`,
    )
    expect(bytes.length).toBeLessThan(BYTES.length)
  })

  it('refuses a stream that is too short (R207)', async () => {
    const { error } = await collect(verifyStream(pieces(BYTES.subarray(1)), EXPECTED, 'blob x'))
    expect(error?.message).toBe(`blob x should have ${BYTES.length} bytes but has ${BYTES.length - 1}`)
    expect(error).toMatchObject({ kind: 'corrupt', code: 'size-mismatch' })
  })

  it('stops a stream that has no end at its size, and destroys it (R207)', async () => {
    let given = 0
    const endless = new Readable({
      read() {
        given += 1000
        this.push(Buffer.alloc(1000))
      },
    })
    const { error, bytes } = await collect(verifyStream(endless, { ...EXPECTED, size: 5000 }, 'blob x'))
    expect(error?.message).toBe('blob x should have 5000 bytes but has at least 6000')
    expect(bytes.length).toBeLessThanOrEqual(5000)
    expect(endless.destroyed).toBe(true)
    expect(given).toBeLessThan(1_000_000)
  })

  it('passes on the error of its input', async () => {
    const input = new PassThrough()
    input.write('some')
    setImmediate(() => input.destroy(new Error('connection lost')))
    const { error } = await collect(verifyStream(input, EXPECTED, 'blob x'))
    expect(error?.message).toBe('connection lost')
  })

  it('fails when its input is destroyed without an error', async () => {
    const input = new PassThrough()
    input.write('some')
    setImmediate(() => input.destroy())
    const { error } = await collect(verifyStream(input, EXPECTED, 'blob x'))
    expect(error?.message).toBe(`blob x should have ${BYTES.length} bytes but has only 4`)
  })

  it('destroys its input when nobody wants it any more', async () => {
    const input = new PassThrough()
    const checked = verifyStream(input, EXPECTED, 'blob x')
    checked.destroy()
    await new Promise(resolve => input.once('close', resolve))
    expect(input.destroyed).toBe(true)
  })
})

describe('verifyBytes', () => {
  it('checks size, then digest (R205, R207)', () => {
    expect(() => verifyBytes(BYTES, EXPECTED, 'manifest x')).not.toThrow()
    expect(() => verifyBytes(BYTES.subarray(1), EXPECTED, 'manifest x')).toThrow(
      `manifest x should have ${BYTES.length} bytes but has ${BYTES.length - 1}`,
    )
    const wrong = Buffer.from(BYTES).fill(0, 0, 1)
    expect(() => verifyBytes(wrong, EXPECTED, 'manifest x')).toThrow(/manifest x should have the digest/)
  })
})

describe('readLimited', () => {
  it('reads all of what fits exactly (R235)', async () => {
    const bytes = await readLimited(pieces(BYTES, 3), BYTES.length, 'config x')
    expect(`${bytes}`).toBe(`${BYTES}`)
  })

  it('stops at the first byte beyond, and destroys the stream (R235)', async () => {
    const input = pieces(BYTES, 3)
    await expect(readLimited(input, BYTES.length - 1, 'config x')).rejects.toThrow(
      expect.objectContaining({
        message: `config x is larger than the ${BYTES.length - 1} bytes that are read of it`,
        code: 'too-large',
      }),
    )
    expect(input.destroyed).toBe(true)
  })
})

function pieces(bytes: Buffer, length = bytes.length): Readable {
  const cut: Buffer[] = []
  for (let from = 0; from < bytes.length; from += length) cut.push(bytes.subarray(from, from + length))
  return Readable.from(cut, { objectMode: false })
}

/** What was read, and how it failed if it did. */
async function collect(stream: Readable): Promise<{ bytes: Buffer; error?: Error }> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer)
    return { bytes: Buffer.concat(chunks) }
  } catch (error) {
    return { bytes: Buffer.concat(chunks), error: error as Error }
  }
}
