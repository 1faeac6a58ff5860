import { badLayer, quoted } from './export-error.js'
import { type Attributes, directory, type FileTree, type Inode } from './file-tree.js'

/** What a layer changes, in the order of its tar. */
export interface LayerChanges {
  /** For messages: `layer sha256:… of image.tar`. */
  what: string
  /** Paths of the lower layers that are gone. */
  whiteouts: readonly (readonly string[])[]
  /** Folders in which everything of the lower layers is gone. */
  opaques: readonly (readonly string[])[]
  entries: readonly LayerEntry[]
}

/** A file, folder, link or device of a layer. */
export type LayerEntry =
  | { kind: 'directory'; path: readonly string[]; attributes: Attributes }
  | { kind: 'hard-link'; path: readonly string[]; target: readonly string[] }
  | { kind: 'other'; path: readonly string[]; inode: Inode }

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
  for (const entry of changes.entries) {
    const name = entry.path.at(-1)
    if (name === undefined) {
      // The root itself: only its attributes can change.
      if (entry.kind === 'directory') tree.root.attributes = entry.attributes
      continue
    }
    const inode = inodeFor(tree, entry, changes.what, options)
    const parent = tree.makeFolder(entry.path.slice(0, -1))
    if (inode === undefined) {
      parent.children.delete(name)
      continue
    }
    const present = parent.children.get(name)
    if (inode.kind === 'directory' && present?.kind === 'directory') {
      present.attributes = inode.attributes
      present.isStated = true
    } else if (inode !== present) tree.put(parent, name, inode)
  }
}

function removeHidden(tree: FileTree, { whiteouts, opaques, entries }: LayerChanges): void {
  if (whiteouts.length === 0 && opaques.length === 0) return
  const folders = new Set<string>()
  for (const { kind, path } of entries) if (kind === 'directory') folders.add(path.join('/'))

  /** Whether the layer has a folder of its own where a lower one has something else: below it nothing is hidden. */
  const isReplaced = (path: readonly string[]) =>
    path.some((_, position) => {
      const prefix = path.slice(0, position + 1)
      if (!folders.has(prefix.join('/'))) return false
      return tree.lookUp(prefix)?.kind !== 'directory'
    })

  for (const path of opaques) {
    if (isReplaced(path)) continue
    const hidden = tree.find(path)?.inode
    if (hidden?.kind === 'directory') hidden.children.clear()
  }
  for (const path of whiteouts) {
    const parent = path.slice(0, -1)
    const folder = isReplaced(parent) ? undefined : tree.find(parent)?.inode
    if (folder?.kind === 'directory') folder.children.delete(path.at(-1) ?? '')
  }
}

function inodeFor(tree: FileTree, entry: LayerEntry, what: string, options: ApplyOptions): Inode | undefined {
  if (entry.kind === 'directory') return directory(entry.attributes, true)
  // A layer may be applied to several trees, and inodes change.
  if (entry.kind === 'other') return options.isLast === true ? entry.inode : { ...entry.inode }
  const target = tree.lookUp(entry.target)
  if (target === undefined && options.isPartial === true) return undefined
  if (target === undefined || target.kind === 'directory') {
    const why = target === undefined ? 'which is not there' : 'which is a folder'
    const names = `${quoted(entry.path.join('/'))} to ${quoted(entry.target.join('/'))}`
    throw badLayer('bad-link', `${what} has a hard link ${names}, ${why}`)
  }
  target.isShared = true
  return target
}
