import { describe, expect, it } from 'vitest'
import { drawTree, treeStyle } from './tree.js'

const tree = {
  text: 'root',
  children: [
    { text: 'a', children: [{ text: 'b', children: [] }] },
    { text: 'c', children: [{ text: 'd', children: [] }] },
  ],
}

describe('a tree', () => {
  it('is drawn with lines that go on where there is more below', () => {
    expect(drawTree(tree, 'unicode')).toBe('root\n├── a\n│   └── b\n└── c\n    └── d\n')
  })

  it('is drawn in ASCII where the locale lacks the lines', () => {
    expect(drawTree(tree, 'ascii')).toBe('root\n|-- a\n|   `-- b\n`-- c\n    `-- d\n')
  })

  it.each([
    [{ LANG: 'de_DE.UTF-8' }, 'unicode'],
    [{ LC_CTYPE: 'C.utf8', LANG: 'C' }, 'unicode'],
    [{ LC_ALL: 'C', LANG: 'de_DE.UTF-8' }, 'ascii'],
    [{ LC_ALL: '', LANG: 'en_US.UTF-8' }, 'unicode'],
    [{}, 'ascii'],
  ])('is drawn by the locale: %j', (env, style) => {
    expect(treeStyle(env, 'linux')).toBe(style)
    expect(treeStyle(env, 'win32')).toBe('unicode')
  })
})
