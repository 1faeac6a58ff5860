import { describe, expect, it } from 'vitest'
import { encodeHeaders, type HeaderFields } from './header-encode.js'
import { type ByteSource, readMembers, type TarMember } from './tar-reader.js'

const PLAIN = { name: 'a', type: '0', mode: 0o644, size: 0 }

/** Writes a header and reads it again, with every attribute. */
async function roundTrip(fields: Partial<HeaderFields>): Promise<TarMember> {
  return await first(encodeHeaders({ ...PLAIN, encoding: 'latin1', ...fields }))
}

async function first(bytes: Uint8Array): Promise<TarMember> {
  for await (const member of readMembers(bytesSource(bytes), 'test.tar', { exact: true })) return member
  throw new Error('there is no member')
}

function bytesSource(bytes: Uint8Array): ByteSource {
  let position = 0
  const take = (length: number) => {
    const part = bytes.subarray(position, position + length)
    position += part.length
    return part
  }
  return {
    get position() {
      return position
    },
    read: async length => take(length),
    skip: async length => take(length).length,
  }
}

/** A header with other bytes in one field, and its checksum made right again. */
function patched(at: number, field: string): Buffer {
  const block = encodeHeaders(PLAIN)
  block.write(field, at, 'latin1')
  block.write(' '.repeat(8), 148, 'latin1')
  const sum = block.reduce((total, byte) => total + byte, 0)
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
  return block
}

describe('the attributes of a member', () => {
  it('are read as they were written', async () => {
    const fields = { mode: 0o6755, uid: 1000, gid: 0o7777777, userName: 'ann', groupName: 'staff' }
    const { attributes } = await roundTrip({ ...fields, mtime: '1700000000' })
    expect(attributes).toMatchObject({ ...fields, mtime: '1700000000', flag: '0' })
    expect(attributes?.records.size).toBe(0)
  })

  it.each(['-1', '-1.5', '1700000000.123456789', `${8 ** 11}`])('keep the time %s', async mtime => {
    expect((await roundTrip({ mtime })).attributes?.mtime).toBe(mtime)
  })

  it('keep owners that ustar has no room for', async () => {
    const { attributes } = await roundTrip({ uid: 8 ** 7, gid: 4294967294, userName: 'ü'.repeat(40) })
    expect(attributes).toMatchObject({ uid: 8 ** 7, gid: 4294967294, userName: 'ü'.repeat(40) })
  })

  it('keep names that are no UTF-8, and long ones', async () => {
    for (const name of ['caf\xe9', `${'d'.repeat(120)}/\xff`, 'x'.repeat(300)]) {
      expect(await roundTrip({ name })).toMatchObject({ name })
      expect(await roundTrip({ type: '2', linkName: name })).toMatchObject({
        type: 'symlink',
        linkName: name,
      })
    }
  })

  it('keep extended attributes, and leave out what is about the archive', async () => {
    const records = new Map([
      ['SCHILY.xattr.security.capability', '\x01\x00\xff\n='],
      ['LIBARCHIVE.xattr.user.a', 'aGk'],
      ['SCHILY.dev', '42'],
      ['comment', 'made by a tool'],
    ])
    expect([...((await roundTrip({ records })).attributes?.records ?? [])]).toEqual([...records].slice(0, 2))
  })

  it('keep the numbers of devices', async () => {
    const { attributes, type } = await roundTrip({ type: '4', devMajor: 8, devMinor: 17 })
    expect({ ...attributes, type }).toMatchObject({ type: 'special', flag: '4', devMajor: 8, devMinor: 17 })
  })

  it('read a time before 1970 as GNU tar writes it', async () => {
    const { attributes } = await first(patched(136, `${'\xff'.repeat(11)}\xf6`))
    expect(attributes?.mtime).toBe('-10')
  })

  it.each([
    [patched(100, '99'), 'a mode is not an octal number'],
    [encodeHeaders({ ...PLAIN, records: new Map([['mtime', 'soon']]) }), 'a PAX time is no number'],
    [encodeHeaders({ ...PLAIN, records: new Map([['uid', '-1']]) }), 'a PAX owner is no number'],
  ])('refuse numbers that are none (R227)', async (bytes, message) => {
    await expect(first(bytes)).rejects.toThrow(`test.tar is not a valid tar at offset`)
    await expect(first(bytes)).rejects.toThrow(message)
  })
})
