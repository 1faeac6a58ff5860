/** A line with what hangs below it. */
export interface TreeNode {
  /** One line, safe to show. */
  text: string
  children: readonly TreeNode[]
}

const LINES = { unicode: ['├── ', '│   ', '└── ', '    '], ascii: ['|-- ', '|   ', '`-- ', '    '] } as const

/** What a terminal's encoding can show. */
export type TreeStyle = keyof typeof LINES

/**
 * Draws a tree, as `tree` does.
 *
 * @param style `ascii` where the terminal's encoding lacks the lines; see {@link treeStyle}
 */
export function drawTree(root: TreeNode, style: TreeStyle): string {
  const [branch, beside, last, below] = LINES[style]
  const lines = [root.text]
  const draw = (nodes: readonly TreeNode[], indent: string): void => {
    for (const [position, node] of nodes.entries()) {
      const isLast = position === nodes.length - 1
      lines.push(`${indent}${isLast ? last : branch}${node.text}`)
      draw(node.children, `${indent}${isLast ? below : beside}`)
    }
  }
  draw(root.children, '')
  return `${lines.join('\n')}\n`
}

/** What the locale can show, by POSIX's order of variables. On Windows every terminal has the lines. */
export function treeStyle(
  env: Readonly<Record<string, string | undefined>>,
  platform: string = process.platform,
): TreeStyle {
  if (platform === 'win32') return 'unicode'
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || ''
  return /utf-?8/i.test(locale) ? 'unicode' : 'ascii'
}
