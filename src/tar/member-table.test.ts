import { beforeEach, describe, expect, it } from 'vitest'
import { MemberTable } from './member-table.js'

let table: MemberTable<string>
beforeEach(() => {
  table = new MemberTable('image.tar', async (one, other) => one === other)
})

const file = (content: string) => ({ type: 'file' as const, content })
const symlink = (linkName: string) => ({ type: 'symlink' as const, linkName })
const hardLink = (linkName: string) => ({ type: 'hard-link' as const, linkName })

describe('MemberTable', () => {
  it('finds files by cleaned name', async () => {
    table.add('./blobs//sha256/./abc', file('x'))
    expect(await table.find('blobs/sha256/abc')).toEqual({ name: 'blobs/sha256/abc', content: 'x' })
    expect(await table.find('./blobs/sha256/abc')).toEqual({ name: 'blobs/sha256/abc', content: 'x' })
    expect(await table.find('blobs/sha256')).toBeUndefined()
  })

  it('follows links of either kind, whatever the order, and says where they end', async () => {
    table.add('b/layer.tar', symlink('../a/layer.tar'))
    table.add('c/layer.tar', hardLink('./b/layer.tar'))
    table.add('a/layer.tar', file('x'))
    expect(await table.find('c/layer.tar')).toEqual({ name: 'a/layer.tar', content: 'x' })
  })

  it('follows a link that stands for a folder', async () => {
    table.add('blobs', symlink('store/./blobs/'))
    table.add('store/blobs/sha256/abc', file('x'))
    expect(await table.find('blobs/sha256/abc')).toEqual({ name: 'store/blobs/sha256/abc', content: 'x' })
  })

  it('finds nothing where a link leads to nothing', async () => {
    table.add('a', symlink('b'))
    expect(await table.find('a')).toBeUndefined()
  })

  it.each([
    ['/etc/passwd', symlink('/etc/passwd')],
    ['../../etc/passwd', symlink('../../etc/passwd')],
    ['C:/secret', symlink('C:/secret')],
    ['..\\secret', symlink('..\\secret')],
    ['/etc/passwd', hardLink('/etc/passwd')],
    ['../secret', hardLink('../secret')],
  ])('does not follow a link to %s (R223)', async (target, member) => {
    table.add('a/layer.tar', member)
    await expect(table.find('a/layer.tar')).rejects.toMatchObject({
      code: 'unsafe-link',
      message: `"a/layer.tar" in image.tar is a link to ${JSON.stringify(target)}, which leads out of it`,
    })
  })

  it('follows ten links and no more (R223)', async () => {
    for (let count = 0; count < 11; count++) table.add(`link${count}`, symlink(`link${count + 1}`))
    table.add('link11', file('x'))
    expect(await table.find('link1')).toEqual({ name: 'link11', content: 'x' })
    await expect(table.find('link0')).rejects.toMatchObject({
      code: 'bad-link',
      message: '"link0" in image.tar is a link that does not end after 10 others',
    })
  })

  it('leaves out members whose name leads out', async () => {
    expect(table.add('../outside', file('x'))).toBe(false)
    expect(table.add('/etc/outside', file('x'))).toBe(false)
    expect(table.add('./', { type: 'directory' })).toBe(false)
    expect([...table.names()]).toEqual([])
  })

  it('accepts a name that occurs twice with one content, and refuses it with two', async () => {
    table.add('same', file('x'))
    table.add('./same', file('x'))
    table.add('other', file('x'))
    table.add('other', symlink('same'))
    expect(await table.find('same')).toEqual({ name: 'same', content: 'x' })
    await expect(table.find('other')).rejects.toMatchObject({
      code: 'ambiguous',
      message: 'image.tar holds "other" 2 times with different content',
    })
  })

  it('has no names but those of members', async () => {
    table.add('__proto__', file('x'))
    expect(await table.find('__proto__')).toEqual({ name: '__proto__', content: 'x' })
    expect(await table.find('constructor')).toBeUndefined()
  })
})
