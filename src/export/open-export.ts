import type { Platform } from '../content/descriptor.js'
import { printable } from '../content/printable.js'
import type { Context, Source } from '../content/store.js'
import { BodySpool } from './body-spool.js'
import { ExportError } from './export-error.js'
import type { FileTree } from './file-tree.js'
import { findInLayers, flatten } from './flatten.js'
import { imageLayers } from './image-layers.js'
import type { Inode } from './inode-table.js'
import { writeTree } from './write-tree.js'

/** What is in an image, ready to be written. Disposing removes the temporary file. */
export interface OpenedExport extends AsyncDisposable {
  /** A tar of a folder, or the bytes of one file. */
  kind: 'tar' | 'file'
  /** What the image's config says that it runs on; undefined when it doesn't. */
  platform: Platform | undefined
  /** Counts the entries of the tar as they are written. */
  entries: number
  /** The bytes. Called once. */
  chunks(): AsyncGenerator<Buffer>
}

/**
 * Flattens an image: its root file system, or one file or folder of it. Everything has been read and checked when this
 * returns; the contents lie in a temporary file that only this user can read.
 *
 * A folder's tar begins with the folder's own name, as in what `docker cp` writes.
 *
 * @param root what to ask the source for: a single image, not an index
 * @param path of a file or folder in the image, symlinks followed; undefined for the whole
 * @throws ExportError `no-such-path` (kind `not-found`), `not-a-file` for a device, `not-an-image` for an artifact; and
 * RegctlError of kind `corrupt` for layers that are broken or lead out of the root
 */
export async function openExport(
  source: Source,
  root: string,
  path: string | undefined,
  context: Context,
): Promise<OpenedExport> {
  const { layers, platform } = await imageLayers(source, root, context)
  const bodies = await BodySpool.create()
  try {
    const wanted = partsOf(path ?? '')
    const isWhole = wanted.length === 0
    const found = isWhole ? rootOf(await flatten(layers, bodies)) : await findInLayers(layers, wanted, bodies)
    if (found === undefined) throw noSuchPath(source, path ?? '')
    const { tree } = found
    const inode = tree.inodes.describe(found.inode)
    if (inode.kind !== 'directory' && inode.kind !== 'file') throw notAFile(source, path ?? '', inode)
    const opened: OpenedExport = {
      kind: inode.kind === 'file' ? 'file' : 'tar',
      platform,
      entries: 0,
      chunks: () =>
        inode.kind === 'file'
          ? bodies.read(inode.content)
          : writeTree(tree, found.inode, found.path.at(-1) ?? '', bodies, () => {
              opened.entries++
            }),
      [Symbol.asyncDispose]: () => bodies[Symbol.asyncDispose](),
    }
    return opened
  } catch (error) {
    await bodies[Symbol.asyncDispose]()
    throw error
  }
}

function rootOf(tree: FileTree) {
  return { tree, inode: tree.root, path: [] }
}

/** The names of the tree have one character for each byte. */
function partsOf(path: string): string[] {
  const bytes = Buffer.from(path, 'utf8').toString('latin1')
  return bytes.split('/').filter(part => part !== '' && part !== '.')
}

function noSuchPath(source: Source, path: string): ExportError {
  return new ExportError(`there is no ${printable(path)} in the image of ${source.label}`, {
    kind: 'not-found',
    code: 'no-such-path',
    hint: 'To export the whole image to a file, write it as `./NAME` or `--output NAME`',
  })
}

function notAFile(source: Source, path: string, inode: Inode): ExportError {
  const kind = inode.kind === 'device' && inode.flag === '6' ? 'a fifo' : 'a device'
  return new ExportError(`${printable(path)} in the image of ${source.label} is ${kind}, not a file`, {
    kind: 'usage',
    code: 'not-a-file',
  })
}
