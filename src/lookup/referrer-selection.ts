import type { Digest } from '../content/digest.js'
import type { ReferrerNode, SubjectNode } from './referrer-tree.js'

/** What {@link selectReferrers} keeps of a tree. */
export interface ReferrerSelection {
  /**
   * Only those with one of these artifactTypes or predicate types, and what leads to them. Default: all. It is not left
   * to the registry (rule R76): a list that lacks the others doesn't lead to what refers to them.
   */
  types?: readonly string[]
  /** Keep an index's children that nothing refers to. Default: false. */
  all?: boolean
}

/** The part of a tree that is wanted. The root stays whatever refers to it. */
export function selectReferrers(root: SubjectNode, selection: ReferrerSelection): SubjectNode {
  const children = root.children
    .map(child => selectReferrers(child, selection))
    .filter(child => selection.all === true || child.referrers.length > 0 || child.children.length > 0)
  return { ...root, referrers: withTypes(root.referrers, selection.types ?? []), children }
}

function withTypes(nodes: readonly ReferrerNode[], types: readonly string[]): readonly ReferrerNode[] {
  if (types.length === 0) return nodes
  return nodes
    .map(node => ({ ...node, referrers: withTypes(node.referrers, types) }))
    .filter(node => node.referrers.length > 0 || isOneOf(node, types))
}

function isOneOf({ descriptor, predicateTypes }: ReferrerNode, types: readonly string[]): boolean {
  return [descriptor.artifactType ?? '', ...predicateTypes].some(type => types.includes(type))
}

/** A referrer without its place in the tree. */
export interface FlatReferrer {
  /** What it refers to. */
  subject: Digest
  node: ReferrerNode
}

/** Every referrer of a tree once, in the order of the tree; of a selection only those that are of its types. */
export function flattenReferrers(root: SubjectNode, types: readonly string[] = []): FlatReferrer[] {
  const found = new Map<string, FlatReferrer>()
  const add = (subject: Digest, nodes: readonly ReferrerNode[]): void => {
    for (const node of nodes) {
      const { digest } = node.descriptor
      if (types.length === 0 || isOneOf(node, types)) {
        if (!found.has(`${subject} ${digest}`)) found.set(`${subject} ${digest}`, { subject, node })
      }
      add(digest, node.referrers)
    }
  }
  const visit = (subject: SubjectNode): void => {
    add(subject.descriptor.digest, subject.referrers)
    for (const child of subject.children) visit(child)
  }
  visit(root)
  return [...found.values()]
}
