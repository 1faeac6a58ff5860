import { applyLayer } from './apply-layer.js'
import type { BodySpool } from './body-spool.js'
import { FileTree, type Found } from './file-tree.js'
import type { ImageLayer } from './image-layers.js'
import { InodeTable } from './inode-table.js'
import type { LayerChanges } from './layer-changes.js'
import { LayerBudget, readLayer } from './read-layer.js'

/**
 * Puts the layers of an image on top of each other. Each layer is checked as a whole before any of it counts.
 *
 * @param bodies takes the contents of all files
 * @throws what reading and applying a layer throws
 */
export async function flatten(layers: readonly ImageLayer[], bodies: BodySpool): Promise<FileTree> {
  const reader = new LayerReader(layers, bodies)
  const tree = new FileTree(reader.inodes)
  for (const layer of layers) {
    const changes = await reader.read(layer)
    applyLayer(tree, changes, { isLast: !reader.isAhead(layer) })
  }
  return tree
}

/**
 * Finds one path in the flattened image. Layers are read from the top, and only as far down as the answer may depend on
 * them: a file in the top layer hides whatever is below.
 *
 * @returns undefined when there is no such path
 * @throws as {@link flatten}
 */
export async function findInLayers(
  layers: readonly ImageLayer[],
  path: readonly string[],
  bodies: BodySpool,
): Promise<(Found & { tree: FileTree }) | undefined> {
  const reader = new LayerReader(layers, bodies)
  const read: LayerChanges[] = []
  for (const layer of [...layers].reverse()) {
    read.unshift(await reader.read(layer))
    if (read.length === layers.length) break
    const { size } = reader.inodes
    const tree = stack(read, reader.inodes, true)
    const found = tree.find(path)
    // Lower layers may still have more of a folder.
    if (found?.isCertain && !tree.isFolder(found.inode)) return { ...found, tree }
    reader.inodes.forgetFrom(size)
  }
  const tree = stack(read, reader.inodes, false)
  const found = tree.find(path)
  return found && { ...found, tree }
}

function stack(layers: readonly LayerChanges[], inodes: InodeTable, isPartial: boolean): FileTree {
  const tree = new FileTree(inodes)
  for (const changes of layers) applyLayer(tree, changes, { isPartial })
  return tree
}

/** Reads each layer once, also one that stands in the image several times. */
class LayerReader {
  /** Those of all layers that were read. */
  readonly inodes = new InodeTable()
  readonly #bodies: BodySpool
  readonly #budget = new LayerBudget()
  /** The layers that are still to come, as often as they do. */
  readonly #ahead: string[]
  readonly #known = new Map<string, LayerChanges>()

  constructor(layers: readonly ImageLayer[], bodies: BodySpool) {
    this.#ahead = layers.map(({ diffID }) => diffID)
    this.#bodies = bodies
  }

  async read(layer: ImageLayer): Promise<LayerChanges> {
    const { diffID } = layer
    this.#ahead.splice(this.#ahead.indexOf(diffID), 1)
    const known = this.#known.get(diffID)
    if (known !== undefined) return known
    const changes = await readLayer(await layer.open(), this.inodes, this.#bodies, this.#budget, layer.what)
    await this.#bodies.flush()
    if (this.isAhead(layer)) this.#known.set(diffID, changes)
    return changes
  }

  /** Whether the layer comes once more. */
  isAhead({ diffID }: ImageLayer): boolean {
    return this.#ahead.includes(diffID)
  }
}
