import { mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holds, spoiledBytes, unlessRefused } from '../../test/support/properties.js'
import { member, symlink, tarOf } from '../../test/support/raw-layers.js'
import { StreamSource } from '../archive/stream-source.js'
import { HeaderProblem, parseHeader, parseNumber } from './header.js'
import { encodeHeaders } from './header-encode.js'
import { attributesOf } from './member-attributes.js'
import { cleanName, resolveSymlink } from './member-name.js'
import { parsePaxHeader } from './pax.js'
import { indexTar } from './tar-index.js'
import { readMembers, type TarMember } from './tar-reader.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-test-'))
})
afterAll(() => rm(folder, { recursive: true }))

/** Names that a tar can hold: long ones, others than ASCII, but neither NUL nor lone surrogates. */
const name = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 300, unit: 'grapheme' }),
    fc
      .array(fc.constantFrom('a', 'dir', '日本', '.', 'x'.repeat(90)), { minLength: 1 })
      .map(p => p.join('/')),
  )
  .filter(text => !text.includes('\0') && Buffer.byteLength(text) <= 4096 && `${Buffer.from(text)}` === text)

/** With a right checksum, so that what follows it is read at all. */
function withChecksum(block: Buffer): Buffer {
  block.fill(0x20, 148, 156)
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

async function membersOf(bytes: Buffer, exact = false): Promise<TarMember[]> {
  const members: TarMember[] = []
  const source = new StreamSource(Readable.from([bytes], { objectMode: false }))
  for await (const found of readMembers(source, 'a.tar', { exact })) members.push(found)
  return members
}

describe('headers of tars', () => {
  it('say what was written into them, whatever the name, the size and the time', async () => {
    const fields = fc.record({
      name,
      linkName: fc.oneof(fc.constant(''), name),
      uid: fc.nat(2 ** 31),
      gid: fc.nat(2 ** 31),
      mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }).map(String),
    })
    await holds(fields, async given => {
      const [found, ...others] = await membersOf(tarOf(member(given.name, { ...given, type: '0' })))
      expect(others).toEqual([])
      expect(found).toMatchObject({ name: given.name, linkName: given.linkName, storedSize: 0 })
      const [exact] = await membersOf(tarOf(member(given.name, { ...given, type: '0' })), true)
      expect(exact?.attributes).toMatchObject({ uid: given.uid, gid: given.gid, mtime: given.mtime })
    })
  })

  it('are refused or read, whatever their bytes (R227)', async () => {
    const block = fc.oneof(
      fc.uint8Array({ minLength: 512, maxLength: 512 }).map(bytes => Buffer.from(bytes)),
      spoiledBytes(encodeHeaders({ name: 'a', type: 'S', mode: 0o644, size: 5 })).map(bytes =>
        Buffer.concat([bytes, Buffer.alloc(512)]).subarray(0, 512),
      ),
    )
    await holds(block, async bytes => {
      for (const tried of [Buffer.from(bytes), withChecksum(Buffer.from(bytes))]) {
        const header = await unlessRefused(() => parseHeader(tried), HeaderProblem)
        if (header !== undefined) expect(Number.isSafeInteger(header.size) && header.size >= 0).toBe(true)
        const attributes = await unlessRefused(() => attributesOf(tried, new Map()), HeaderProblem)
        if (attributes !== undefined) expect(attributes.mode).toBeLessThanOrEqual(0o7777)
      }
    })
  })

  it('have numbers that are never negative, nor beyond what can be counted (R227)', async () => {
    await holds(fc.uint8Array({ minLength: 8, maxLength: 12 }), async bytes => {
      const value = await unlessRefused(() => parseNumber(bytes, 'size'), HeaderProblem)
      if (value !== undefined) expect(Number.isSafeInteger(value) && value >= 0).toBe(true)
    })
  })
})

describe('PAX headers', () => {
  const record = (key: string, value: string) => {
    const rest = ` ${key}=${value}\n`
    let length = Buffer.byteLength(rest) + 1
    while (`${length}`.length + Buffer.byteLength(rest) !== length)
      length = `${length}`.length + Buffer.byteLength(rest)
    return `${length}${rest}`
  }

  it('give back each record, the last of a key', async () => {
    const key = fc.oneof(
      fc.constantFrom('path', 'linkpath', 'uid', 'SCHILY.xattr.a', '__proto__', 'constructor'),
      fc.string({ minLength: 1, maxLength: 20 }).filter(text => !text.includes('=') && !text.includes('\0')),
    )
    const pairs = fc.array(fc.tuple(key, fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' })))
    await holds(pairs, given => {
      const body = Buffer.from(given.map(([k, value]) => record(k, value)).join(''))
      const { records, overrides } = parsePaxHeader(body, 'utf8')
      expect(new Map(records)).toEqual(new Map(given))
      expect(overrides.path).toBe(new Map(given).get('path'))
    })
  })

  it('are refused or read, whatever their bytes (R227)', async () => {
    const good = Buffer.from(record('path', 'a/b') + record('size', '12') + record('mtime', '-1.5'))
    const bytes = fc.oneof(spoiledBytes(good), fc.uint8Array({ maxLength: 100 }))
    await holds(bytes, async body => {
      const header = await unlessRefused(() => parsePaxHeader(body, 'latin1'), HeaderProblem)
      const size = header?.overrides.size ?? 0
      expect(size).toBeGreaterThanOrEqual(0)
      const block = encodeHeaders({ name: 'a', type: '0', mode: 0, size: 0 })
      if (header !== undefined) await unlessRefused(() => attributesOf(block, header.records), HeaderProblem)
    })
  })
})

describe('names of members (R223)', () => {
  const path = fc
    .array(fc.constantFrom('..', '.', '', 'a', 'b', 'C:', '\\', '\0', '...'), { maxLength: 8 })
    .map(parts => parts.join('/'))

  it('never lead out once they are cleaned', async () => {
    await holds(path, text => {
      const cleaned = cleanName(text)
      if (cleaned === undefined) return
      expect(cleaned.split('/').filter(part => part === '..' || part === '.')).toEqual([])
      expect(cleaned).not.toMatch(/^\/|\/\/|\\|\0|^[A-Za-z]:/)
      expect(cleanName(cleaned)).toBe(cleaned)
    })
  })

  it('lead where a file system would follow a symlink to, or nowhere', async () => {
    await holds(fc.tuple(path, path), ([from, target]) => {
      const at = cleanName(from)
      if (at === undefined || at === '') return
      const resolved = resolveSymlink(at, target)
      if (resolved === undefined) return
      const root = '/root'
      const expected = join(root, at, '..', target === '' ? '.' : target)
      expect(`${root}${resolved === '' ? '' : `/${resolved}`}`).toBe(expected.replace(/(.)\/+$/, '$1'))
    })
  })
})

describe('whole tars', () => {
  it('have no more text than is held in memory (R227)', async () => {
    const bytes = tarOf(...Array.from({ length: 20 }, (_, at) => member(`${at}`.repeat(100))))
    const source = new StreamSource(Readable.from([bytes], { objectMode: false }))
    const read = async () => {
      let count = 0
      for await (const _ of readMembers(source, 'a.tar', { maximumText: 1000 })) count++
      return count
    }
    await expect(read()).rejects.toMatchObject({
      code: 'too-large',
      message: 'a.tar has names of more than 1000 bytes, which is more than is read',
    })
  })

  const base = tarOf(
    member('a/layer.tar', { body: 'x'.repeat(700) }),
    member('é'.repeat(120), { body: 'long' }),
    symlink('b/layer.tar', '../a/layer.tar'),
    member('big', { uid: 3_000_000, mtime: '-1.5', records: new Map([['SCHILY.xattr.user.a', 'b']]) }),
    member('manifest.json', { body: '[]' }),
  )

  it('are read alike in place and from a stream, whatever is broken in them (R227)', async () => {
    const path = join(folder, 'a.tar')
    await holds(spoiledBytes(base), async bytes => {
      const streamed = await unlessRefused(() => membersOf(bytes))
      await unlessRefused(() => membersOf(bytes, true))
      await writeFile(path, bytes)
      const file = await open(path)
      try {
        const indexed = await unlessRefused(() => indexTar(file, bytes.length, 'a.tar'))
        expect(indexed === undefined).toBe(streamed === undefined)
        for (const found of indexed?.names() ?? []) {
          const content = await unlessRefused(async () => {
            const stream = await indexed?.open(found)
            return stream === undefined ? undefined : await buffer(stream)
          })
          if (content !== undefined) expect((await indexed?.stat(found))?.size).toBe(content.length)
        }
      } finally {
        await file.close()
      }
    })
  })
})
