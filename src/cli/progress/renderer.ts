import type { CopyEvent } from '../../index.js'
import { JsonRenderer } from './json.js'
import { PlainRenderer } from './plain.js'
import { QuietRenderer } from './quiet.js'
import { TtyRenderer } from './tty.js'
import type { Words } from './words.js'

/** Shows what happens during a copy to one target. */
export interface ProgressRenderer {
  /** Takes the next event. Never throws. */
  event(event: CopyEvent): void
  /** Ends the showing, also of a copy that failed: what is left on the screen is true. Safe to call again. */
  end(): void
}

/** How progress is shown. */
export type ProgressMode = 'tty' | 'plain' | 'json' | 'quiet'

/** Where to write. A terminal tells its size and when it changes. */
export interface ProgressStream {
  write(text: string): unknown
  readonly columns?: number | undefined
  readonly rows?: number | undefined
  on?(event: 'resize', listener: () => void): unknown
  off?(event: 'resize', listener: () => void): unknown
}

/** Progress goes to `stdout`, notices and JSON to `stderr`. A command whose data goes to stdout gives stderr for both. */
export interface ProgressStreams {
  stdout: ProgressStream
  stderr: ProgressStream
}

/** What a renderer has to know besides the events. */
export interface RendererOptions {
  /** Docker's words for a push or for a pull; for a push when not given. */
  words?: Words
  /** Shows only what concerns the target of this label; everything when not given. */
  target?: string
  /**
   * False for the second and further targets of one copy: what happens to them is kept until `end`, so that each
   * target's lines stand together. Notices and JSON are left to the renderer of the first.
   */
  live?: boolean
  /** Nothing is moved, so nothing is said to have been. */
  dryRun?: boolean
}

/** Makes the renderer for a mode. Its caller gives it every event of a copy, and calls `end` when the copy is over. */
export function createRenderer(
  mode: ProgressMode,
  streams: ProgressStreams,
  options: RendererOptions = {},
): ProgressRenderer {
  const isLive = options.live !== false
  if (mode === 'quiet') return new QuietRenderer(isLive ? streams.stderr : undefined)
  if (mode === 'json' && !isLive) return new QuietRenderer()
  if (mode === 'json') return new JsonRenderer(streams.stderr)
  if (mode === 'tty' && isLive) return new TtyRenderer(streams, options)
  return new PlainRenderer(streams, options)
}

/**
 * Decides how to show progress. A flag that says it is obeyed. Else bars are for a terminal that can move its
 * cursor (not `TERM=dumb`) with somebody in front of it (not `CI`). `NO_COLOR` needs no decision: there are none.
 */
export function chooseMode(
  flag: 'auto' | 'tty' | 'plain' | 'json' | 'none',
  where: { isTTY: boolean; env: Readonly<Record<string, string | undefined>> },
): ProgressMode {
  if (flag === 'none') return 'quiet'
  if (flag !== 'auto') return flag
  const { CI = '', TERM } = where.env
  const isCI = CI !== '' && CI !== '0' && CI.toLowerCase() !== 'false'
  return where.isTTY && TERM !== 'dumb' && !isCI ? 'tty' : 'plain'
}
