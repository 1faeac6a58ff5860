import { type Descriptor, type InspectedImage, MediaType, printable, shortDigest } from '../index.js'
import { displayWidth, pad, shorten } from './display-width.js'
import { formatBytes } from './progress/bytes.js'
import { sizeBar } from './size-bar.js'
import type { TreeStyle } from './tree.js'

/** How much room there is, and what the terminal can show. */
export interface ScreenShape {
  /** In columns. */
  width: number
  style: TreeStyle
}

interface Row {
  digest: string
  size: number
  text: string
}

/** The layers of an image: digest, size, a bar and the command that made it. */
export function layerLines({ layers }: InspectedImage, shape: ScreenShape): string[] {
  const rows = layers.map(({ digest, diffID, mediaType = '', size, createdBy }) => {
    const id = digest ?? diffID
    const text = createdBy === undefined ? unusualType(mediaType) : shortCommand(createdBy)
    return { digest: id === undefined ? '' : shortDigest(id), size, text: printable(text) }
  })
  return rowLines(rows, shape, counted(layers.length, 'layer', ', from the base up'))
}

/** The files of an artifact: digest, size, a bar, and name and type. */
export function fileLines(layers: readonly Descriptor[], shape: ScreenShape): string[] {
  const rows = layers.map(({ digest, size, mediaType, annotations }) => {
    const title = annotations?.['org.opencontainers.image.title']
    const text = title === undefined ? mediaType : `${title} (${mediaType})`
    return { digest: shortDigest(digest), size, text: printable(text) }
  })
  return rowLines(rows, shape, counted(layers.length, 'file'))
}

function counted(count: number, noun: string, order = ''): string {
  return count === 1 ? `1 ${noun}` : `${count} ${noun}s${order}`
}

function rowLines(rows: readonly Row[], { width, style }: ScreenShape, heading: string): string[] {
  if (rows.length === 0) return []
  const biggest = rows.reduce((most, { size }) => Math.max(most, size), 0)
  const sizes = rows.map(({ size }) => formatBytes(size))
  const sizeWidth = sizes.reduce((most, size) => Math.max(most, size.length), 0)
  const barWidth = Math.min(16, Math.max(4, Math.floor(width / 8)))
  const lines = rows.map(({ digest, size, text }, position) => {
    const bar = pad(sizeBar(size, biggest, barWidth, style), barWidth)
    const start = `${pad(digest, 12)}  ${pad(sizes[position] ?? '', sizeWidth, 'right')}  ${bar}`
    const room = width - displayWidth(start) - 2
    return room < 8 || text === '' ? start.trimEnd() : `${start}  ${shorten(text, room, ellipsis(style))}`
  })
  return [heading, ...lines]
}

/** What stands for what was cut off. */
export function ellipsis(style: TreeStyle): string {
  return style === 'unicode' ? '…' : '...'
}

const USUAL_TYPES: readonly string[] = [
  '',
  MediaType.ociLayer,
  MediaType.ociLayerGzip,
  MediaType.ociLayerZstd,
  MediaType.dockerLayer,
  MediaType.dockerLayerGzip,
]

function unusualType(mediaType: string): string {
  return USUAL_TYPES.includes(mediaType) ? '' : mediaType
}

/**
 * A step of the history without what the builder put around it: `RUN apt-get update`, not `/bin/sh -c apt-get update`, and
 * not the marks of Docker's old builder (`#(nop)`) and of BuildKit.
 */
export function shortCommand(createdBy: string): string {
  // More than any terminal shows; a command can be megabytes of white space.
  const start = createdBy.slice(0, 4000).replace(/\s+/g, ' ').trim()
  return start
    .replace(/ ?# buildkit$/, '')
    .replace(/^(?:\/bin\/sh -c )?#\(nop\) */, '')
    .replace(/^(RUN (?:\|\d+ .*?)?)\/bin\/sh -c /, '$1')
    .replace(/^(?:\|\d+ .*?)?\/bin\/sh -c /, 'RUN ')
}
