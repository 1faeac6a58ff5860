import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exportedLines } from '../../test/support/exported.js'
import { holds, spoiledBytes, textOf, unlessRefused } from '../../test/support/properties.js'
import { folder, hardLink, member, symlink, tarOf } from '../../test/support/raw-layers.js'
import { InodeTable } from './inode-table.js'
import { parseLayerName, splitPath } from './layer-path.js'
import { TextArena } from './text-arena.js'

/** What a layer does, without links: those lead elsewhere, and have their own tests. */
type Change = { path: string[]; kind: 'file' | 'folder' | 'whiteout' | 'opaque'; body: string }

const path = fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 })
const change: fc.Arbitrary<Change> = fc.record({
  path,
  kind: fc.constantFrom('file', 'file', 'folder', 'whiteout', 'opaque'),
  body: fc.stringMatching(/^[a-z]{1,3}$/),
})

function layerOf(changes: readonly Change[]): Buffer {
  const memberOf = ({ path, kind, body }: Change) => {
    const name = path.join('/')
    const parent = path.slice(0, -1).map(part => `${part}/`)
    switch (kind) {
      case 'file':
        return member(name, { body })
      case 'folder':
        return folder(name)
      case 'whiteout':
        return member(`${parent.join('')}.wh.${path.at(-1)}`)
      case 'opaque':
        return member(`${name}/.wh..wh..opq`)
    }
  }
  return tarOf(...changes.map(memberOf))
}

/** The same by the plainest means: a map from paths to contents, a folder being undefined. */
function expectedLines(layers: readonly (readonly Change[])[]): string[] {
  const files = new Map<string, string | undefined>()
  const removeBelow = (name: string) => {
    for (const known of [...files.keys()]) if (known.startsWith(`${name}/`)) files.delete(known)
  }
  for (const layer of layers) {
    // Below a folder of this layer that replaces something else, nothing is hidden: there is nothing.
    for (const { path, kind } of layer) {
      const name = path.join('/')
      if (kind === 'opaque') removeBelow(name)
      if (kind !== 'whiteout') continue
      files.delete(name)
      removeBelow(name)
    }
    for (const { path, kind, body } of layer) {
      if (kind !== 'file' && kind !== 'folder') continue
      for (let count = 1; count < path.length; count++) {
        const parent = path.slice(0, count).join('/')
        if (files.get(parent) !== undefined || !files.has(parent)) files.set(parent, undefined)
      }
      const name = path.join('/')
      if (kind === 'file') removeBelow(name)
      files.set(name, kind === 'file' ? body : undefined)
    }
  }
  return [...files].map(([name, body]) => (body === undefined ? `${name}/` : `${name} ${body}`)).sort()
}

describe('layers on top of each other', () => {
  it('give what a map from paths to contents gives (R195)', async () => {
    await holds(
      fc.array(fc.array(change, { maxLength: 6 }), { minLength: 1, maxLength: 4 }),
      async layers => {
        const lines = await exportedLines(layers.map(layerOf))
        expect([...lines].sort()).toEqual(expectedLines(layers))
      },
      100,
    )
  })

  it('are refused or exported, whatever is broken in them (R223, R225)', async () => {
    const layer = tarOf(
      folder('etc'),
      member('etc/motd', { body: 'hello' }),
      hardLink('etc/other', 'etc/motd'),
      symlink('link', '../../etc'),
      member('link/x', { body: 'y' }),
      member('.wh.gone'),
      member('p', { type: '6' }),
    )
    await holds(
      spoiledBytes(layer),
      async bytes => {
        const lines = await unlessRefused(() => exportedLines([layer, bytes]))
        const names = lines?.map(line => line.split(' ', 1)[0]) ?? []
        for (const name of names) expect(name).not.toMatch(/^\/|(?:^|\/)\.\.(?:\/|$)/)
      },
      100,
    )
  })
})

describe('names in layers (R195, R223)', () => {
  it('are refused, or lead nowhere but down', async () => {
    await holds(
      textOf('.wh.', '.wh..wh..opq', '..', '.', '/', 'a', '\0', '.wh..wh.aufs', '\\'),
      async name => {
        const parts = await unlessRefused(() => splitPath(name, 'it'))
        for (const part of parts ?? []) expect(part).not.toMatch(/^\.{0,2}$|\/|\0/)
        const parsed = await unlessRefused(() => parseLayerName(name, 'it'))
        if (parsed === undefined || parsed.kind === 'ignored') return
        expect(parsed.path.filter(part => part === '..' || part === '')).toEqual([])
      },
      500,
    )
  })
})

describe('what is held in columns', () => {
  it('comes out of an arena as it went in', async () => {
    const text = fc.uint8Array({ maxLength: 300 }).map(bytes => Buffer.from(bytes).toString('latin1'))
    await holds(
      fc.array(text),
      texts => {
        const arena = new TextArena()
        expect(texts.map(given => arena.add(given))).toEqual(texts.map((_, number) => number))
        arena.add('x'.repeat(2 * 1024 * 1024))
        expect([...arena].slice(0, -1)).toEqual(texts)
        expect(arena.get(texts.length)).toHaveLength(2 * 1024 * 1024)
      },
      30,
    )
  })

  it('comes out of a table of inodes as it went in, also from a copy', async () => {
    const attributes = fc.record({
      mode: fc.nat(0o7777),
      uid: fc.nat(),
      gid: fc.nat(),
      userName: fc.constantFrom('', 'ada'),
      groupName: fc.constantFrom('', 'staff'),
      mtime: fc.constantFrom('0', '-1.5', '1700000000', '-3', '99999999999999999999', '1.000000001'),
      records: fc.constantFrom(new Map<string, string>(), new Map([['SCHILY.xattr.a', 'b']])),
    })
    const content = fc.record({ offset: fc.nat(2 ** 53 - 1), size: fc.nat(2 ** 53 - 1) })
    const inode = fc.oneof(
      fc.record({ kind: fc.constant('directory' as const), attributes }),
      fc.record({ kind: fc.constant('file' as const), attributes, content }),
      fc.record({
        kind: fc.constant('symlink' as const),
        attributes,
        target: fc.constantFrom('', 'a/b', '\xff'),
      }),
      fc.record({
        kind: fc.constant('device' as const),
        attributes,
        flag: fc.constantFrom('3', '4', '6'),
        major: fc.nat(2 ** 21),
        minor: fc.nat(2 ** 21),
      }),
    )
    await holds(fc.array(inode, { minLength: 1 }), inodes => {
      const table = new InodeTable()
      const ids = inodes.map(given => table.add(given))
      const { size } = table
      const copies = ids.map(id => table.copy(id))
      expect(ids.map(id => table.describe(id))).toEqual(inodes)
      expect(copies.map(id => table.describe(id))).toEqual(inodes)
      table.forgetFrom(size)
      const again = table.add({ ...(inodes[0] as (typeof inodes)[0]) })
      expect(table.describe(again)).toEqual(inodes[0])
      expect(ids.map(id => table.describe(id))).toEqual(inodes)
    })
  })
})
