import { execFileSync } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, open, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { missingTool } from '../../test/support/tools.js'
import { parseHeader } from './header.js'
import { encodeHeaders } from './header-encode.js'
import { indexTar } from './tar-index.js'
import { TarWriter } from './tar-writer.js'

const LONG_NAME = `${'folder/'.repeat(40)}${'x'.repeat(120)}`
const NAMES = [
  'manifest.json',
  `${'a'.repeat(90)}/${'b'.repeat(90)}`,
  LONG_NAME,
  'weiß/日本.json',
  'a'.repeat(100),
]

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function write(path: string): Promise<void> {
  const output = createWriteStream(path)
  const tar = new TarWriter(output)
  await tar.addDirectory('blobs')
  for (const name of NAMES) await tar.addFile(name, Buffer.byteLength(name), Buffer.from(name))
  await tar.addFile('empty', 0, new Uint8Array())
  await tar.addFile('streamed', 300_000, Readable.from([Buffer.alloc(100_000), Buffer.alloc(200_000)]))
  await tar.finish()
  output.end()
  await new Promise<void>(resolve => output.once('close', () => resolve()))
}

describe('TarWriter', () => {
  it('writes what the index reads, long and foreign names too', async () => {
    const path = join(folder, 'a.tar')
    await write(path)
    const { size } = await stat(path)
    await using files = await indexTar(await open(path), size, 'a.tar')
    expect([...files.names()]).toEqual([...NAMES, 'empty', 'streamed'])
    for (const name of NAMES) {
      expect(Buffer.from(await files.read(name, 0, 10_000)).toString()).toBe(name)
    }
    expect(await files.stat('empty')).toMatchObject({ name: 'empty', size: 0 })
  })

  it.skipIf(missingTool('tar') !== undefined)(
    'writes what tar lists, with nothing of this machine or this day',
    async () => {
      const path = join(folder, 'a.tar')
      await write(path)
      const listed = execFileSync('tar', [
        '-tvf',
        path,
        '--numeric-owner',
        '--utc',
        '--full-time',
        '--quoting-style=literal',
      ])
      const lines = listed.toString().trimEnd().split('\n')
      expect(lines[0]).toMatch(/^drwxr-xr-x 0\/0 +0 1970-01-01 00:00:00 blobs\/$/)
      expect(lines[1]).toMatch(/^-rw-r--r-- 0\/0 +13 1970-01-01 00:00:00 manifest.json$/)
      expect(lines.map(line => line.split(' 00:00:00 ')[1])).toEqual([
        'blobs/',
        ...NAMES,
        'empty',
        'streamed',
      ])
    },
  )

  it('writes the same bytes every time', async () => {
    await write(join(folder, 'a.tar'))
    await write(join(folder, 'b.tar'))
    expect(await readFile(join(folder, 'a.tar'))).toEqual(await readFile(join(folder, 'b.tar')))
  })

  it.each([
    [4, 'at least 5'],
    [7, '5'],
  ])('refuses content that should have %i bytes but has %s', async (size, found) => {
    const output = new PassThrough()
    output.resume()
    const tar = new TarWriter(output)
    await expect(tar.addFile('config.json', size, Buffer.from('hello'))).rejects.toMatchObject({
      code: 'size-mismatch',
      message: `config.json should have ${size} bytes but has ${found}`,
    })
  })

  it('passes on the error of its output', async () => {
    const output = new PassThrough()
    const tar = new TarWriter(output)
    output.destroy(new Error('the disk is full'))
    await expect(tar.addFile('a', 1, Buffer.from('x'))).rejects.toThrow()
  })
})

describe('encodeHeaders', () => {
  it('puts sizes from 8 GiB on into a PAX record', () => {
    const small = encodeHeaders({ name: 'a', type: '0', mode: 0o644, size: 8 ** 11 - 1 })
    expect(parseHeader(small).size).toBe(8 ** 11 - 1)
    const large = encodeHeaders({ name: 'a', type: '0', mode: 0o644, size: 8 ** 11 })
    expect(large.length).toBe(3 * 512)
    expect(large.toString('latin1', 512, 540)).toContain('19 size=8589934592\n')
  })
})
