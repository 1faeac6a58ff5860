import { describe, expect, it } from 'vitest'
import { exportedBytes, exportedLines, sourceOf } from '../../test/support/exported.js'
import { folder, hardLink, imageOf, member, symlink, tarOf } from '../../test/support/raw-layers.js'

const file = (name: string, body: string) => member(name, { body })

/** One file of an image, and how many of its layers were read for it. */
async function find(layers: readonly Buffer[], path: string) {
  const image = imageOf(layers)
  const source = sourceOf(image)
  const content = `${await exportedBytes(source, path)}`
  const read = source.opened.filter(digest => digest !== image.config.digest).length
  return { content, read }
}

describe('one file of an image', () => {
  const base = tarOf(folder('etc'), file('etc/a', 'base'), file('etc/b', 'base'), symlink('link', 'etc/a'))
  const top = tarOf(folder('etc'), file('etc/a', 'top'))

  it('is that of the top layer, and no other is read', async () => {
    expect(await find([base, base.subarray(0), top], 'etc/a')).toEqual({ content: 'top', read: 1 })
  })

  it('is looked for in lower layers as far as need be', async () => {
    const layers = [tarOf(file('x', '1')), base, top]
    expect(await find(layers, 'etc/b')).toEqual({ content: 'base', read: 2 })
    expect(await find(layers, '/x')).toEqual({ content: '1', read: 3 })
  })

  it('is found through symlinks, of the folder it is in too', async () => {
    expect((await find([base, top], 'link')).content).toBe('top')
    const lib = tarOf(folder('usr'), folder('usr/lib'), symlink('lib', 'usr/lib'))
    expect((await find([lib, tarOf(file('lib/a', 'a'))], 'usr/lib/a')).content).toBe('a')
    expect((await find([lib, tarOf(file('lib/a', 'a'))], 'lib/a')).content).toBe('a')
  })

  it('is found when it is a hard link to a file of a lower layer', async () => {
    const layers = [file('a', 'old'), file('a', 'content'), hardLink('b', 'a')].map(part => tarOf(part))
    expect(await find([tarOf(file('b', 'wrong')), ...layers], 'b')).toEqual({ content: 'content', read: 2 })
    const far = [file('a', 'content'), file('b', 'hidden'), hardLink('b', 'a')].map(part => tarOf(part))
    expect(await find(far, 'b')).toEqual({ content: 'content', read: 3 })
  })

  it('is not found where an upper layer has hidden it', async () => {
    for (const hidden of ['etc/.wh.a', '.wh.etc', 'etc/.wh..wh..opq', '.wh..wh..opq']) {
      await expect(find([base, tarOf(file(hidden, ''))], 'etc/a')).rejects.toMatchObject({
        kind: 'not-found',
        code: 'no-such-path',
        message: 'there is no etc/a in the image of test',
      })
    }
    await expect(find([base], 'etc/a/b')).rejects.toMatchObject({ code: 'no-such-path' })
    await expect(find([base], '../../etc/c')).rejects.toMatchObject({ code: 'no-such-path' })
  })

  it('may be a folder, whose hard links stay whole', async () => {
    const layers = [
      tarOf(file('a', 'x'), hardLink('d/b', 'a'), hardLink('d/c', 'a')),
      tarOf(file('d/e', 'e')),
    ]
    expect(await exportedLines(layers, 'd')).toEqual(['d/', 'd/b x', 'd/c => d/b', 'd/e e'])
    expect(await exportedLines([tarOf(file('x/y/z', 'z'))], 'x/y/')).toEqual(['y/', 'y/z z'])
    expect(await exportedLines(layers, '/')).toEqual(await exportedLines(layers))
  })

  it('is no device', async () => {
    await expect(find([tarOf(member('p', { type: '6' }))], 'p')).rejects.toThrow(
      'p in the image of test is a fifo, not a file',
    )
  })
})
