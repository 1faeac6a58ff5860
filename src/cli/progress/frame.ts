import { formatBytes, formatSeconds } from './bytes.js'
import type { LayerState } from './layer-states.js'
import { activeWords, doneWords, type Words } from './words.js'

/** One layer as a frame shows it. */
export interface FrameLayer {
  readonly state: LayerState
  /** Bytes per second at present; undefined while nobody knows. */
  readonly rate: number | undefined
}

/** What a frame is drawn for. */
export interface FrameOptions {
  columns: number
  rows: number
  words: Words
  dryRun: boolean
}

/** A terminal that doesn't say is this large. */
export const DEFAULT_COLUMNS = 80
export const DEFAULT_ROWS = 24

/**
 * The lines of one frame. There are fewer than the terminal has rows, so that drawing never scrolls, and each is
 * shorter than a row, so that none wraps. When not all layers fit, those are shown that have something to show: the
 * ones at work, then waiting ones, then done ones; a last line counts the rest.
 */
export function frameLines(layers: readonly FrameLayer[], options: FrameOptions): string[] {
  const room = Math.max(1, options.rows - 1)
  const cut = (line: string) => line.slice(0, Math.max(1, options.columns - 1))
  if (layers.length <= room) return layers.map(layer => cut(layerLine(layer, options)))
  const chosen = new Set(mostActive(layers, room - 1))
  const shown = layers.filter(layer => chosen.has(layer))
  const rest = layers.filter(layer => !chosen.has(layer))
  return [...shown.map(layer => layerLine(layer, options)), restLine(rest)].map(cut)
}

function mostActive(layers: readonly FrameLayer[], count: number): FrameLayer[] {
  const order = (layer: FrameLayer) => ORDER[layer.state.phase]
  return layers.toSorted((left, right) => order(left) - order(right)).slice(0, count)
}

const ORDER: Record<LayerState['phase'], number> = { moving: 0, compressing: 1, waiting: 2, done: 3 }

function restLine(rest: readonly FrameLayer[]): string {
  const count = (phase: LayerState['phase']) => rest.filter(layer => layer.state.phase === phase).length
  const active = count('moving') + count('compressing')
  const parts = [
    ...(active > 0 ? [`${active} active`] : []),
    ...(count('done') > 0 ? [`${count('done')} done`] : []),
    ...(count('waiting') > 0 ? [`${count('waiting')} waiting`] : []),
  ]
  return `… ${rest.length} more: ${parts.join(', ')}`
}

/** The line of a layer: `373a30c24545: Pushing [=====>    ]  12.3MB/45.6MB  8.1MB/s  4s`. */
function layerLine({ state, rate }: FrameLayer, { columns, words, dryRun }: FrameOptions): string {
  if (state.phase === 'done') return `${state.id}: ${doneWords(state, words, dryRun)}`
  const start = `${state.id}: ${activeWords(state, words)}`
  if (state.phase === 'waiting') return start
  if (state.size === undefined || state.size === 0) return `${start} ${formatBytes(state.offset)}`
  const bytes = `${formatBytes(state.offset)}/${formatBytes(state.size)}`
  const speed = rate === undefined || rate < 1 ? '' : `${formatBytes(rate)}/s`
  const left = speed === '' || rate === undefined ? '' : formatSeconds((state.size - state.offset) / rate)
  const numbers = `${bytes.padStart(15)}  ${speed.padStart(8)}  ${left}`.trimEnd()
  // Room is kept for the longest numbers, so that the bar keeps its length while they change.
  const width = Math.min(MAXIMUM_BAR, columns - 1 - LONGEST_START - LONGEST_NUMBERS - 4)
  if (width < MINIMUM_BAR) return `${start} ${bytes} ${left}`.trimEnd()
  return `${start} [${bar(state.offset / state.size, width)}] ${numbers}`
}

const MAXIMUM_BAR = 50
const MINIMUM_BAR = 8
const LONGEST_START = '373a30c24545: Compressing'.length
const LONGEST_NUMBERS = '  123MB/456.7MB   123MB/s  59m59s'.length

function bar(done: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, done)) * width)
  return filled >= width ? '='.repeat(width) : `${'='.repeat(filled)}>`.padEnd(width)
}
