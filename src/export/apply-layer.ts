import { badLayer, quoted } from './export-error.js'
import type { FileTree } from './file-tree.js'
import type { InodeId } from './inode-table.js'
import type { LayerChanges, LayerEntry } from './layer-changes.js'

/** How a layer is applied. */
export interface ApplyOptions {
  /** Hard links to files that are not there leave their names empty: lower layers were not read. Default: an error. */
  isPartial?: boolean
  /** The layer is not applied again, so that the tree may have its inodes for its own. Default: it gets copies. */
  isLast?: boolean
}

/**
 * Applies a layer to the tree of those below it (image-spec, Applying Changesets). Whiteouts concern the lower layers
 * alone, so they come first, wherever they stand in the tar (rule R195). Then entries in their order, the last of a name
 * wins: a folder over a folder keeps what is in it, everything else replaces what was there.
 *
 * Parents are found as Docker's unpacking finds them: through symlinks, inside the root.
 *
 * @throws ExportError `bad-link` for a hard link to nothing or to a folder; `too-large`
 */
export function applyLayer(tree: FileTree, changes: LayerChanges, options: ApplyOptions = {}): void {
  removeHidden(tree, changes)
  for (const entry of changes.entries()) {
    const name = entry.path.at(-1)
    if (name === undefined) {
      // The root itself: only its attributes can change.
      if (entry.kind === 'directory') tree.inodes.restate(tree.root, entry.inode)
      continue
    }
    const linked = entry.kind === 'hard-link' ? linkedBy(tree, entry, changes.what, options) : undefined
    const parent = tree.makeFolder(entry.path.slice(0, -1))
    if (entry.kind === 'hard-link') {
      if (linked === undefined) tree.remove(parent, name)
      else if (tree.child(parent, name) !== linked) tree.put(parent, name, linked)
      continue
    }
    const present = tree.child(parent, name)
    if (entry.kind === 'directory' && present !== undefined && tree.isFolder(present)) {
      tree.inodes.restate(present, entry.inode)
      continue
    }
    // A layer may be applied to several trees, and inodes change.
    tree.put(parent, name, options.isLast === true ? entry.inode : tree.inodes.copy(entry.inode))
  }
}

function removeHidden(tree: FileTree, changes: LayerChanges): void {
  const { whiteouts, opaques } = changes
  if (whiteouts.size === 0 && opaques.size === 0) return
  const folders = new Set(changes.folders())
  for (const path of opaques) {
    if (isReplaced(tree, path, folders)) continue
    const hidden = tree.find(path)?.inode
    if (hidden !== undefined && tree.isFolder(hidden)) tree.clear(hidden)
  }
  for (const path of whiteouts) {
    const parent = path.slice(0, -1)
    const folder = isReplaced(tree, parent, folders) ? undefined : tree.find(parent)?.inode
    if (folder !== undefined && tree.isFolder(folder)) tree.remove(folder, path.at(-1) ?? '')
  }
}

/**
 * Whether the layer has a folder of its own where a lower one has something else: below it nothing is hidden. What lies
 * below something that is not there is not there either.
 */
function isReplaced(tree: FileTree, path: readonly string[], folders: ReadonlySet<string>): boolean {
  let folder: InodeId | undefined = tree.root
  for (const [position, name] of path.entries()) {
    const child: InodeId | undefined = tree.child(folder, name)
    if (child !== undefined && tree.isFolder(child)) {
      folder = child
      continue
    }
    const prefix = path.slice(0, position + 1)
    if (folders.has(prefix.join('/'))) return true
    folder = tree.find(prefix)?.inode
    if (folder === undefined || !tree.isFolder(folder)) return false
  }
  return false
}

/** The inode that a hard link is to; undefined when it is not there, and may not be. */
function linkedBy(
  tree: FileTree,
  { path, target }: Extract<LayerEntry, { kind: 'hard-link' }>,
  what: string,
  options: ApplyOptions,
): InodeId | undefined {
  const linked = tree.lookUp(target)
  if (linked === undefined && options.isPartial === true) return undefined
  if (linked === undefined || tree.isFolder(linked)) {
    const why = linked === undefined ? 'which is not there' : 'which is a folder'
    const names = `${quoted(path.join('/'))} to ${quoted(target.join('/'))}`
    throw badLayer('bad-link', `${what} has a hard link ${names}, ${why}`)
  }
  tree.inodes.share(linked)
  return linked
}
