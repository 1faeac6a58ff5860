import {
  type Digest,
  type FlatReferrer,
  formatPlatform,
  isIndexType,
  printable,
  type ReferrerNode,
  type SubjectNode,
  shortDigest,
} from '../index.js'
import { formatBytes } from './progress/bytes.js'
import type { TreeNode } from './tree.js'

/** The tree as it is drawn. `label` is the root as the user named it. */
export function subjectTree(subject: SubjectNode, label: string): TreeNode {
  const { digest, mediaType } = subject.descriptor
  const kind = isIndexType(mediaType) ? '  index' : ''
  return {
    text: `${label}  ${shown(digest)}${kind}`,
    children: [
      ...subject.children.map(child => subjectTree(child, childLabel(child))),
      ...aligned(subject.referrers),
    ],
  }
}

/** A digest as it is shown: with its algorithm, and short. */
function shown(digest: Digest): string {
  return `${digest.slice(0, digest.indexOf(':') + 1)}${shortDigest(digest)}`
}

function childLabel({ platform }: SubjectNode): string {
  return platform === undefined ? 'no platform' : printable(formatPlatform(platform))
}

/** Neighbours have their columns below each other. */
function aligned(nodes: readonly ReferrerNode[]): TreeNode[] {
  const rows = nodes.map(columns)
  const widths = [0, 1, 2, 3].map(column => Math.max(...rows.map(row => row[column]?.length ?? 0), 0))
  return nodes.map((node, position) => {
    const cells = (rows[position] ?? []).map((cell, column) => cell.padEnd(widths[column] ?? 0))
    const text = cells.filter((cell, column) => cell !== '' && (widths[column] ?? 1) > 0).join('  ')
    return { text: text.trimEnd(), children: aligned(node.referrers) }
  })
}

const FOUND = { subject: '', tag: '', index: '(in the index)' } as const

function columns(node: ReferrerNode): string[] {
  const { digest, annotations } = node.descriptor
  const created = annotations?.['org.opencontainers.image.created'] ?? ''
  const notes = [
    node.tag ?? FOUND[node.via],
    ...node.predicateTypes.map(type => `predicate ${type}`),
    node.repeated === true ? '(shown elsewhere)' : '',
  ]
  return [
    node.name,
    shown(digest),
    node.contentSize === undefined ? '' : formatBytes(node.descriptor.size + node.contentSize),
    created.replace(/T.*$/s, ''),
    notes.filter(note => note !== '').join('  '),
  ].map(printable)
}

/** One line for each referrer: its type and its digest. */
export function flatLines(list: readonly FlatReferrer[]): string {
  return list
    .map(({ node: { descriptor } }) => `${printable(descriptor.artifactType || '-')} ${descriptor.digest}\n`)
    .join('')
}

/** An image or index for `--json`. */
export function subjectDocument({ descriptor, platform, referrers, children }: SubjectNode): object {
  const { mediaType, digest, size } = descriptor
  return {
    ...{ mediaType, digest, size },
    ...(platform !== undefined && { platform }),
    referrers: referrers.map(referrerDocument),
    children: children.map(subjectDocument),
  }
}

/** A referrer for `--json`, with what refers to it. */
export function referrerDocument(node: ReferrerNode): object {
  const { mediaType, digest, size, artifactType, annotations } = node.descriptor
  const { name, via, tag, predicateTypes, contentSize, repeated } = node
  return {
    ...{ name, mediaType, digest, size },
    ...(contentSize !== undefined && { contentSize }),
    ...(artifactType !== undefined && { artifactType }),
    via,
    ...(tag !== undefined && { tag }),
    predicateTypes,
    annotations: annotations ?? {},
    referrers: node.referrers.map(referrerDocument),
    ...(repeated === true && { repeated }),
  }
}
