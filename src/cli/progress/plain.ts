import type { CopyEvent } from '../../index.js'
import { type LayerState, LayerStates } from './layer-states.js'
import { Notices } from './notice.js'
import type { ProgressRenderer, ProgressStreams, RendererOptions } from './renderer.js'
import { doneWords, listedWords, type Words } from './words.js'

/**
 * Writes lines as Docker does where its output is no terminal: one when a layer is known, one when it is in its place.
 * A layer that repeats in an image is listed each time and done once.
 */
export class PlainRenderer implements ProgressRenderer {
  readonly #streams: ProgressStreams
  readonly #words: Words
  readonly #dryRun: boolean
  readonly #states: LayerStates
  readonly #told = new Notices()
  /** The layers of the images under way, as they were listed. */
  #listed: LayerState[] = []
  /** Those of them that were downloaded. */
  readonly #pulled = new Set<LayerState>()
  /** What waits for the end; undefined when it is written at once. */
  #kept: string[] | undefined

  constructor(streams: ProgressStreams, { words = 'push', target, live, dryRun = false }: RendererOptions) {
    this.#streams = streams
    this.#words = words
    this.#dryRun = dryRun
    this.#states = new LayerStates({ words, target })
    this.#kept = live === false ? [] : undefined
  }

  event(event: CopyEvent): void {
    const notice = this.#told.lineFor(event)
    if (notice !== undefined && this.#kept === undefined) this.#streams.stderr.write(notice)
    const { listed, changed } = this.#states.apply(event)
    for (const state of listed) this.#write(state, listedWords(this.#words))
    this.#listed.push(...listed)
    if (changed?.phase === 'done') {
      this.#write(changed, doneWords(changed, this.#words, this.#dryRun))
      if (changed.result === 'copied') this.#pulled.add(changed)
    }
    if (event.type === 'manifest-done') this.#completePull()
  }

  end(): void {
    for (const line of this.#kept ?? []) this.#streams.stdout.write(line)
    if (this.#kept !== undefined) this.#kept = []
  }

  /**
   * Docker says "Pull complete" once a layer is unpacked, the base first; here it is complete once a manifest names it.
   */
  #completePull(): void {
    if (this.#words !== 'pull' || this.#dryRun) return
    for (const state of this.#listed) if (this.#pulled.delete(state)) this.#write(state, 'Pull complete')
    this.#listed = this.#listed.filter(({ phase }) => phase !== 'done')
  }

  #write(state: LayerState, words: string): void {
    const line = `${state.id}: ${words}\n`
    if (this.#kept === undefined) this.#streams.stdout.write(line)
    else this.#kept.push(line)
  }
}
