import type { BlobResult, CopyEvent, LayerProgressItem } from '../../index.js'

/** Where a layer is on its way to one target. */
export interface LayerState {
  /** The 12 characters by which people know it. */
  readonly id: string
  phase: 'waiting' | 'compressing' | 'moving' | 'done'
  /** Bytes done of the present phase. It goes back when a transfer starts again. */
  offset: number
  /** Bytes of the present phase; undefined while unknown. */
  size: number | undefined
  /** Once it is done. */
  result?: BlobResult
  /** The label of the repository that it was mounted from, when that is known. */
  from?: string
}

/** Whose layers, and how they are named. */
export interface LayerStatesOptions {
  /** A push names layers by diffID and lists the top first, a pull by blob and the base first, as Docker does. */
  words: 'push' | 'pull'
  /** Events of other targets than this are passed over; none when not given. */
  target?: string | undefined
}

/** What an event changed. */
export interface LayerChanges {
  /** The layers of an image that just became known, in the order to show. One that repeats is there each time. */
  listed: readonly LayerState[]
  changed?: LayerState
}

/** Follows the layers of a copy to one target through its events. Blobs that are no layers leave no trace. */
export class LayerStates {
  readonly #options: LayerStatesOptions
  /** By diffID and by digest; both lead to the same state. */
  readonly #states = new Map<string, LayerState>()

  constructor(options: LayerStatesOptions) {
    this.#options = options
  }

  apply(event: CopyEvent): LayerChanges {
    if (event.type === 'layers') return { listed: this.#list(event.layers) }
    const changed = this.#change(event)
    return { listed: [], ...(changed !== undefined && { changed }) }
  }

  #list(layers: readonly LayerProgressItem[]): LayerState[] {
    const before = new Set(this.#states.values())
    const states = layers.flatMap(layer => this.#stateOf(layer, before) ?? [])
    return this.#options.words === 'push' ? states.reverse() : [...new Set(states)]
  }

  #stateOf({ diffID, digest, size }: LayerProgressItem, before: Set<LayerState>): LayerState | undefined {
    const keys = [diffID, digest].filter(key => key !== undefined)
    const name = this.#options.words === 'push' ? keys[0] : keys.at(-1)
    if (name === undefined) return undefined
    const known = keys.map(key => this.#states.get(key)).find(state => state !== undefined)
    // A layer that was done for an image before is told of again for this one.
    const isOver = known?.phase === 'done' && before.has(known)
    const state: LayerState =
      known === undefined || isOver ? { id: shortID(name), phase: 'waiting', offset: 0, size } : known
    for (const key of keys) this.#states.set(key, state)
    return state
  }

  #change(event: Exclude<CopyEvent, { type: 'layers' }>): LayerState | undefined {
    if (event.type === 'layer-progress' || event.type === 'layer-ready') return this.#prepare(event)
    if (event.type !== 'blob-started' && event.type !== 'blob-progress' && event.type !== 'blob-done')
      return undefined
    const { target } = this.#options
    const state = this.#states.get(event.descriptor.digest)
    if (state === undefined || state.phase === 'done' || (target !== undefined && event.target !== target))
      return undefined
    if (event.type === 'blob-done') {
      const from = event.from === undefined ? {} : { from: event.from }
      return Object.assign(state, { phase: 'done', result: event.result, ...from })
    }
    const offset = event.type === 'blob-progress' ? event.offset : 0
    return Object.assign(state, { phase: 'moving', offset, size: event.descriptor.size })
  }

  #prepare(event: Extract<CopyEvent, { type: 'layer-progress' | 'layer-ready' }>): LayerState | undefined {
    const state = this.#states.get(event.diffID)
    if (state === undefined) return undefined
    if (event.type === 'layer-ready') {
      this.#states.set(event.descriptor.digest, state)
      if (state.phase !== 'compressing' && state.phase !== 'waiting') return undefined
      return Object.assign(state, { phase: 'waiting', offset: 0, size: event.descriptor.size })
    }
    if (state.phase !== 'compressing' && state.phase !== 'waiting') return undefined
    return Object.assign(state, { phase: 'compressing', offset: event.offset, size: event.size })
  }
}

function shortID(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12)
}
