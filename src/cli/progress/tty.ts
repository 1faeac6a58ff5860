import type { CopyEvent } from '../../index.js'
import { DEFAULT_COLUMNS, DEFAULT_ROWS, frameLines } from './frame.js'
import { type LayerState, LayerStates } from './layer-states.js'
import { Notices } from './notice.js'
import { Rate } from './rate.js'
import type { ProgressRenderer, ProgressStream, ProgressStreams, RendererOptions } from './renderer.js'
import { doneWords, type Words } from './words.js'

/** How often the frame is drawn at most. */
const FRAME_MS = 100
/** A frame is drawn this often even when nothing happens, since a transfer that stands still is slower each second. */
const IDLE_FRAME_MS = 1000

const HIDE_CURSOR = '\x1b[?25l'
const SHOW_CURSOR = '\x1b[?25h'
const ERASE_LINE = '\x1b[2K'
const ERASE_BELOW = '\x1b[J'

/**
 * Keeps one line for each layer at a terminal, drawn again as bytes move.
 *
 * The frame is ours, not that of cli-progress: its MultiBar draws more lines than the terminal has rows, can't tell
 * how a resize has wrapped what it drew, and leaves half bars behind when it is stopped.
 *
 * The cursor stands at the start of the line below the frame. To draw again it goes up by the rows that the frame
 * takes, each line is overwritten in place, and what is left below is erased.
 */
export class TtyRenderer implements ProgressRenderer {
  readonly #terminal: ProgressStream
  readonly #notices: ProgressStream
  readonly #words: Words
  readonly #dryRun: boolean
  readonly #states: LayerStates
  readonly #told = new Notices()
  /** Every layer of the present image once, in order, with its rate. */
  readonly #rates = new Map<LayerState, Rate | undefined>()
  /** The lines on the screen, as last drawn. */
  #drawn: readonly string[] = []
  #isStale = false
  #lastDrawnMs = Number.NEGATIVE_INFINITY
  #timer: NodeJS.Timeout | undefined

  constructor(streams: ProgressStreams, { words = 'push', target, dryRun = false }: RendererOptions) {
    this.#terminal = streams.stdout
    this.#notices = streams.stderr
    this.#words = words
    this.#dryRun = dryRun
    this.#states = new LayerStates({ words, target })
  }

  event(event: CopyEvent): void {
    const notice = this.#told.lineFor(event)
    if (notice !== undefined) this.#showNotice(notice)
    const { listed, changed } = this.#states.apply(event)
    if (listed.length > 0) {
      if ([...this.#rates.keys()].every(state => state.phase === 'done')) this.#settle()
      for (const state of listed) if (!this.#rates.has(state)) this.#rates.set(state, undefined)
      this.#start()
      this.#draw()
    }
    if (changed === undefined || !this.#rates.has(changed)) return
    this.#follow(changed, event.type)
    this.#isStale = true
    if (performance.now() - this.#lastDrawnMs >= FRAME_MS) this.#draw()
  }

  /** Leaves a line for each layer that is in its place, and none for the others. */
  end(): void {
    this.#settle()
    if (this.#timer === undefined) return
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#terminal.off?.('resize', this.#resized)
    process.off('exit', this.#showCursor)
    this.#showCursor()
  }

  #start(): void {
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => {
      const idleMs = performance.now() - this.#lastDrawnMs
      if (this.#isStale || idleMs >= IDLE_FRAME_MS) this.#draw()
    }, FRAME_MS).unref()
    this.#terminal.on?.('resize', this.#resized)
    // Whatever ends the process: the terminal stays usable.
    process.on('exit', this.#showCursor)
    this.#terminal.write(HIDE_CURSOR)
  }

  readonly #showCursor = (): void => {
    this.#terminal.write(SHOW_CURSOR)
  }

  readonly #resized = (): void => this.#draw()

  /** Rates are of one phase and one attempt: each new one is measured from its start. */
  #follow(state: LayerState, type: CopyEvent['type']): void {
    if (type !== 'layer-progress' && type !== 'blob-progress') {
      this.#rates.set(state, undefined)
      return
    }
    const now = performance.now()
    const rate = this.#rates.get(state)
    if (rate === undefined) this.#rates.set(state, new Rate(state.offset, now))
    else rate.sample(state.offset, now)
  }

  #draw(): void {
    const now = performance.now()
    for (const [state, rate] of this.#rates) rate?.sample(state.offset, now)
    const layers = [...this.#rates].map(([state, rate]) => ({ state, rate: rate?.value }))
    const { columns, rows } = this.#size()
    const lines = frameLines(layers, { columns, rows, words: this.#words, dryRun: this.#dryRun })
    const drawing = lines.map(line => `${ERASE_LINE}${line}\n`).join('')
    this.#terminal.write(`${this.#toTop()}${drawing}${ERASE_BELOW}`)
    this.#drawn = lines
    this.#isStale = false
    this.#lastDrawnMs = now
  }

  /**
   * Takes the frame away; what is written next takes its place. Line by line: some terminals keep in their history what
   * is erased from the top of the screen on.
   */
  #erase(): void {
    const up = this.#height()
    if (up === 0) return
    // Where the cursor is, the terminal may have shown what somebody typed: ^C.
    this.#terminal.write(`${ERASE_LINE}${this.#toTop()}${`${ERASE_LINE}\n`.repeat(up)}\x1b[${up}A`)
    this.#drawn = []
  }

  /** Moves the cursor from below the frame to its start. */
  #toTop(): string {
    const up = this.#height()
    return up > 0 ? `\r\x1b[${up}A` : '\r'
  }

  /**
   * The rows that the frame takes on the screen. A terminal that has become narrower has wrapped the lines, and one that
   * has become lower has lost the first ones; the cursor can't go above the screen.
   */
  #height(): number {
    const { columns, rows } = this.#size()
    const taken = this.#drawn.reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / columns)), 0)
    return Math.min(taken, rows - 1)
  }

  /** Puts the lines of what is done where the frame was, to stay there. */
  #settle(): void {
    this.#erase()
    for (const state of this.#rates.keys()) {
      if (state.phase !== 'done') continue
      const isPulled = this.#words === 'pull' && state.result === 'copied' && !this.#dryRun
      const words = isPulled ? 'Pull complete' : doneWords(state, this.#words, this.#dryRun)
      this.#terminal.write(`${state.id}: ${words}\n`)
    }
    this.#rates.clear()
    this.#isStale = false
  }

  #showNotice(line: string): void {
    const isShown = this.#drawn.length > 0
    this.#erase()
    this.#notices.write(line)
    if (isShown) this.#draw()
  }

  #size(): { columns: number; rows: number } {
    return {
      columns: Math.max(2, this.#terminal.columns || DEFAULT_COLUMNS),
      rows: Math.max(2, this.#terminal.rows || DEFAULT_ROWS),
    }
  }
}
