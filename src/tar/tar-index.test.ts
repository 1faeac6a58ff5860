import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { FileSet } from './file-set.js'
import { encodeHeaders, paddingOf } from './header-encode.js'
import { indexTar } from './tar-index.js'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-test-'))
})
afterEach(() => rm(folder, { recursive: true }))

async function index(bytes: Buffer): Promise<FileSet> {
  const path = join(folder, 'a.tar')
  await writeFile(path, bytes)
  const file = await open(path)
  try {
    return await indexTar(file, bytes.length, 'a.tar')
  } catch (error) {
    await file.close()
    throw error
  }
}

function member(name: string, type: string, body: Buffer): Buffer {
  const header = encodeHeaders({ name, type, mode: 0o644, size: body.length })
  return Buffer.concat([header, body, paddingOf(body.length)])
}

/** Writes fields into a header and puts its checksum right. */
function patched(header: Buffer, fields: [offset: number, text: string][]): Buffer {
  for (const [offset, text] of fields) header.write(text, offset, 'latin1')
  header.write(' '.repeat(8), 148, 'latin1')
  const sum = header.reduce((total, byte) => total + byte, 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return header
}

const octal = (value: number) => `${value.toString(8).padStart(11, '0')}\0`

/** An old GNU sparse file: `hello` at 1000, `world` at 5000, 6000 bytes in all. */
function sparseMember(realSize: number, name = 'layer.tar'): Buffer {
  const header = encodeHeaders({ name, type: 'S', mode: 0o644, size: 10 })
  const map = [octal(1000), octal(5), octal(5000), octal(5)].join('')
  const fields: [number, string][] = [
    [257, 'ustar  \0'],
    [386, map],
    [483, octal(realSize)],
  ]
  const body = Buffer.from('helloworld')
  return Buffer.concat([patched(header, fields), body, paddingOf(body.length)])
}

describe('indexTar', () => {
  it('fills the holes of an old GNU sparse file, from any offset', async () => {
    const expected = Buffer.alloc(6000)
    expected.write('hello', 1000)
    expected.write('world', 5000)
    await using files = await index(
      Buffer.concat([sparseMember(6000), member('next', '0', Buffer.from('x'))]),
    )
    expect(await files.stat('layer.tar')).toEqual({ name: 'layer.tar', size: 6000 })
    for (const from of [0, 999, 1003, 1005, 4000, 5004, 5999, 6000]) {
      expect(await buffer(await files.open('layer.tar', from)), `${from}`).toEqual(expected.subarray(from))
    }
    expect(Buffer.from(await files.read('next', 0, 5)).toString()).toBe('x')
  })

  it('refuses sparse files that are nothing but claims together, and reads those before them (R226)', async () => {
    const claims = Array.from({ length: 100 }, () => sparseMember(2 ** 20))
    await using files = await index(Buffer.concat([sparseMember(6000), ...claims]))
    await expect(files.open('layer.tar')).rejects.toMatchObject({ code: 'ambiguous' })
    const named = Array.from({ length: 100 }, (_, at) => sparseMember(2 ** 20, `${at}`))
    await using others = await index(Buffer.concat(named))
    expect((await others.stat('60'))?.size).toBe(2 ** 20)
    await expect(others.open('64')).rejects.toMatchObject({
      code: 'bad-member-type',
      message: '"64" in a.tar cannot be read: it is a sparse file that is nearly all holes',
    })
  })

  it('refuses a sparse file that is nothing but a claim', async () => {
    await using files = await index(sparseMember(2 ** 32))
    await expect(files.open('layer.tar')).rejects.toMatchObject({
      code: 'bad-member-type',
      message: '"layer.tar" in a.tar cannot be read: it is a sparse file that is nearly all holes',
    })
  })

  it('refuses a sparse map that does not fit its file', async () => {
    await expect(index(sparseMember(4000))).rejects.toMatchObject({ code: 'bad-tar' })
  })

  it('refuses to read a sparse file in the PAX format', async () => {
    const pax = member('pax', 'x', Buffer.from('22 GNU.sparse.major=1\n'))
    await using files = await index(Buffer.concat([pax, member('layer.tar', '0', Buffer.from('x'))]))
    await expect(files.stat('layer.tar')).rejects.toMatchObject({
      message: '"layer.tar" in a.tar cannot be read: it is a sparse file in the PAX format',
    })
  })

  it('refuses a long name of over 4 KiB (R227)', async () => {
    const long = member('././@LongLink', 'L', Buffer.alloc(5000, 'x'))
    await expect(index(Buffer.concat([long, member('x', '0', Buffer.from('x'))]))).rejects.toMatchObject({
      code: 'bad-tar',
      message: expect.stringContaining('a header has 5000 bytes, more than the 4097 that are read'),
    })
  })

  it('refuses an archive that ends after a header for a later one', async () => {
    const long = member('././@LongLink', 'L', Buffer.from('name\0'))
    await expect(index(long)).rejects.toMatchObject({ code: 'truncated' })
    await expect(index(Buffer.concat([long, Buffer.alloc(1024)]))).rejects.toMatchObject({ code: 'bad-tar' })
  })

  it('leaves global PAX records without effect on names', async () => {
    const global = member('pax', 'g', Buffer.from('14 path=other\n'))
    await using files = await index(Buffer.concat([global, member('a', '0', Buffer.from('x'))]))
    expect([...files.names()]).toEqual(['a'])
  })
})
