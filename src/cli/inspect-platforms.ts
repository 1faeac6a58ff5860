import {
  type Digest,
  formatPlatform,
  type IndexEntry,
  type Platform,
  printable,
  shortDigest,
} from '../index.js'
import { displayWidth, pad, shorten } from './display-width.js'
import { ellipsis, type ScreenShape } from './inspect-layers.js'
import { formatBytes } from './progress/bytes.js'
import { drawTree, type TreeNode } from './tree.js'

/**
 * The table of what an index names; what the indexes within it name hangs below them.
 *
 * @param shown the image that is described further down
 */
export function platformLines(
  entries: readonly IndexEntry[],
  shown: Digest | undefined,
  { width, style }: ScreenShape,
): string[] {
  const all = flatten(entries)
  const names = entries.flatMap(entry => drawTree(nodeOf(entry), style).trimEnd().split('\n'))
  const platforms = new Map(all.map(({ digest, platform }) => [digest, platform]))
  const rows = all.map((entry, position) => [
    names[position] ?? '',
    shortDigest(entry.digest),
    formatBytes(entry.size),
    `${kindOf(entry, platforms)}${entry.digest === shown ? ', shown below' : ''}`,
  ])
  const table = [['Platform', 'Digest', 'Manifest', 'Kind'], ...rows]
  const widths = [0, 1, 2].map(column =>
    table.reduce((most, row) => Math.max(most, displayWidth(row[column] ?? '')), 0),
  )
  return table.map(row => {
    const cells = row.map((cell, column) => pad(cell, widths[column] ?? 0, column === 2 ? 'right' : 'left'))
    return shorten(cells.join('  ').trimEnd(), width, ellipsis(style))
  })
}

function flatten(entries: readonly IndexEntry[]): IndexEntry[] {
  return entries.flatMap(entry => [entry, ...flatten(entry.platforms ?? [])])
}

function nodeOf(entry: IndexEntry): TreeNode {
  return { text: nameOf(entry), children: (entry.platforms ?? []).map(nodeOf) }
}

function nameOf({ platform, kind }: IndexEntry): string {
  const version = platform?.['os.version']
  if (platform === undefined || kind === 'attestation') return '-'
  return printable(`${formatPlatform(platform)}${version === undefined ? '' : ` ${version}`}`)
}

function kindOf(entry: IndexEntry, platforms: ReadonlyMap<Digest, Platform | undefined>): string {
  const { kind, attestationOf, artifactType, mediaType } = entry
  if (kind === 'artifact') return `artifact ${printable(artifactType ?? '')}`.trimEnd()
  if (kind === 'other') return printable(mediaType)
  if (attestationOf === undefined) return kind
  const platform = platforms.get(attestationOf)
  return `attestation of ${platform === undefined ? shortDigest(attestationOf) : printable(formatPlatform(platform))}`
}
