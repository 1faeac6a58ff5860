import { describe, expect, it } from 'vitest'
import { exportedBytes, exportedEntries, exportedLines, sourceOf } from '../../test/support/exported.js'
import { folder, hardLink, imageOf, member, symlink, tarOf } from '../../test/support/raw-layers.js'

const file = (name: string, body: string) => member(name, { body })

describe('layers on top of each other', () => {
  it('hide a file by a whiteout, and a folder with all below it (R195)', async () => {
    const base = tarOf(folder('d'), file('d/a', 'a'), file('d/b', 'b'), folder('e'), file('e/f/g', 'g'))
    expect(await exportedLines([base, tarOf(file('d/.wh.a', ''), file('.wh.e', ''))])).toEqual([
      'd/',
      'd/b b',
    ])
  })

  it('apply a whiteout to lower layers alone, wherever it stands in its layer (R195)', async () => {
    const base = tarOf(file('d/a', 'old'), file('d/b', 'old'))
    const above = [file('d/a', 'new'), file('.wh.d', '')]
    for (const members of [above, [...above].reverse()]) {
      expect(await exportedLines([base, tarOf(...members)])).toEqual(['d/', 'd/a new'])
    }
  })

  it('keep what a layer puts into the folder that it makes opaque, in any order (R195)', async () => {
    const base = tarOf(folder('d'), file('d/old', 'x'), file('d/sub/old', 'x'))
    const above = [folder('d'), file('d/new', 'new'), file('d/.wh..wh..opq', ''), file('d/sub/new', 'n')]
    for (const members of [above, [...above].reverse()]) {
      expect(await exportedLines([base, tarOf(...members)])).toEqual([
        'd/',
        'd/new new',
        'd/sub/',
        'd/sub/new n',
      ])
    }
  })

  it('hide everything by a whiteout at the top', async () => {
    const layers = [tarOf(file('a', 'a')), tarOf(file('.wh..wh..opq', ''), file('b', 'b'))]
    expect(await exportedLines(layers)).toEqual(['b b'])
  })

  it('take no notice of a whiteout of what is not there', async () => {
    const layers = [
      tarOf(file('a', 'a')),
      tarOf(file('.wh.b', ''), file('c/.wh.d', ''), file('e/.wh..wh..opq', '')),
    ]
    expect(await exportedLines(layers)).toEqual(['a a'])
  })

  it('leave out what AUFS keeps for itself', async () => {
    const layer = tarOf(
      file('.wh..wh.aufs', ''),
      folder('.wh..wh.plnk'),
      file('.wh..wh.plnk/1.2', 'x'),
      file('a', 'a'),
    )
    expect(await exportedLines([layer])).toEqual(['a a'])
  })

  it('replace a folder by a file with all below it, and a file by a folder', async () => {
    const base = tarOf(folder('a'), file('a/x', 'x'), file('b', 'b'))
    expect(await exportedLines([base, tarOf(file('a', 'file'), file('b/y', 'y'))])).toEqual([
      'a file',
      'b/',
      'b/y y',
    ])
  })

  it('keep what is in a folder, with the attributes of the upper one', async () => {
    const base = tarOf(folder('d', { mode: 0o700, uid: 1 }), file('d/a', 'a'))
    const [entry, other] = await exportedEntries([base, tarOf(folder('d', { mode: 0o1777, gid: 7 }))])
    expect(entry?.header).toMatchObject({ name: 'd/', mode: 0o1777, uid: 0, gid: 7 })
    expect(other?.header.name).toBe('d/a')
  })

  it('make the folders that no layer has', async () => {
    const [entry] = await exportedEntries([tarOf(file('a/b/c', 'c'))])
    expect(entry?.header).toMatchObject({ name: 'a/', mode: 0o755, uid: 0, gid: 0 })
  })

  it('take the last of several entries of one name', async () => {
    expect(await exportedLines([tarOf(file('a', '1'), file('a', '2'), file('./a', '3'))])).toEqual(['a 3'])
  })

  it('clean names', async () => {
    const layer = tarOf(
      folder('./'),
      file('/abs', '1'),
      file('./d//e/', '2'),
      file('x/../y', '3'),
      folder('z///'),
    )
    expect(await exportedLines([layer])).toEqual(['abs 1', 'd/', 'd/e 2', 'y 3', 'z/'])
  })
})

describe('symlinks', () => {
  it('are written through where an upper layer has something below them, inside the root (R225)', async () => {
    const base = tarOf(
      folder('usr/lib'),
      symlink('lib', 'usr/lib'),
      symlink('out', '../../../usr'),
      symlink('abs', '/usr'),
    )
    const above = tarOf(file('lib/a', 'a'), file('out/b', 'b'), file('abs/lib/c', 'c'))
    expect(await exportedLines([base, above])).toEqual([
      'abs -> /usr',
      'lib -> usr/lib',
      'out -> ../../../usr',
      'usr/',
      'usr/b b',
      'usr/lib/',
      'usr/lib/a a',
      'usr/lib/c c',
    ])
  })

  it('get their target made where it is missing', async () => {
    const layers = [tarOf(symlink('var/run', '/run')), tarOf(file('var/run/pid', '1'))]
    expect(await exportedLines(layers)).toEqual(['run/', 'run/pid 1', 'var/', 'var/run -> /run'])
  })

  it('are followed by whiteouts too, unless the layer has a folder in their place', async () => {
    const base = tarOf(folder('real'), file('real/a', 'a'), symlink('d', 'real'))
    expect(await exportedLines([base, tarOf(file('d/.wh.a', ''))])).toEqual(['d -> real', 'real/'])
    const replaced = tarOf(folder('d'), file('d/.wh..wh..opq', ''), file('d/.wh.a', ''), file('d/b', 'b'))
    expect(await exportedLines([base, replaced])).toEqual(['d/', 'd/b b', 'real/', 'real/a a'])
  })

  it('are replaced by a file, which leaves their target alone', async () => {
    const layers = [tarOf(file('t', 'kept'), symlink('a', 't')), tarOf(file('a', 'own'))]
    expect(await exportedLines(layers)).toEqual(['a own', 't kept'])
  })

  it('that do not end are an error where something is below them', async () => {
    const layers = [tarOf(symlink('a', 'b'), symlink('b', 'a')), tarOf(file('a/c', ''))]
    await expect(exportedLines(layers)).rejects.toThrow('"a" leads through a symlink that does not end')
  })
})

describe('hard links', () => {
  const base = tarOf(file('a', 'shared'), hardLink('b', './a'), hardLink('c', '/b'))

  it('are links to the first of their names', async () => {
    expect(await exportedLines([base])).toEqual(['a shared', 'b => a', 'c => a'])
  })

  it('keep their content when the first name is gone, or is another file', async () => {
    expect(await exportedLines([base, tarOf(file('.wh.a', ''))])).toEqual(['b shared', 'c => b'])
    expect(await exportedLines([base, tarOf(file('a', 'own'))])).toEqual(['a own', 'b shared', 'c => b'])
  })

  it('may lead to a file of a lower layer, and through a symlink', async () => {
    const lower = tarOf(folder('d'), file('d/f', 'x'), symlink('s', 'd'))
    expect(await exportedLines([lower, tarOf(hardLink('e', 's/f'))])).toEqual([
      'd/',
      'd/f x',
      'e => d/f',
      's -> d',
    ])
  })

  it('to what comes later in the layer, or to a folder, are an error', async () => {
    await expect(exportedLines([tarOf(hardLink('b', 'a'), file('a', ''))])).rejects.toMatchObject({
      kind: 'corrupt',
      code: 'bad-link',
      message: expect.stringContaining('has a hard link "b" to "a", which is not there'),
    })
    await expect(exportedLines([tarOf(folder('d'), hardLink('b', 'd'))])).rejects.toThrow('which is a folder')
  })
})

describe('an export', () => {
  it('has the same bytes whatever the order and packing of the layers', async () => {
    const parts = [folder('d'), file('d/a', 'a'), file('é', 'b'), symlink('z', 'd')]
    const one = await exportedBytes(sourceOf(imageOf([tarOf(...parts)])))
    const image = imageOf([tarOf(...parts.slice(2)), tarOf(), tarOf(...parts.slice(0, 2))])
    expect(await exportedBytes(sourceOf(image))).toEqual(one)
  })

  it('has names that are no UTF-8, attributes and devices as the layer has them', async () => {
    const records = new Map([['SCHILY.xattr.user.a', '\x01\xff']])
    const latin1 = { encoding: 'latin1' as const }
    const layer = tarOf(
      member('caf\xe9', {
        ...latin1,
        mode: 0o6755,
        uid: 5_000_000,
        userName: 'ann',
        mtime: '-1.25',
        records,
      }),
      member('dev', { type: '4', devMajor: 8, devMinor: 1, gid: 6 }),
    )
    expect(await exportedBytes(sourceOf(imageOf([layer])))).toEqual(layer)
  })

  it('is an empty tar where there are no layers', async () => {
    expect(await exportedBytes(sourceOf(imageOf([])))).toEqual(Buffer.alloc(1024))
  })

  it('reads a layer once that stands in the image twice', async () => {
    const layer = tarOf(file('a', 'a'))
    const image = imageOf([layer, tarOf(file('.wh.a', '')), layer])
    const source = sourceOf(image)
    expect((await exportedBytes(source)).subarray(0, 1)).toEqual(Buffer.from('a'))
    expect(source.opened.filter(digest => digest === image.diffIDs[0])).toHaveLength(1)
  })
})
