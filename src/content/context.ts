import { setMaxListeners } from 'node:events'
import type { Context } from './store.js'

/** A context that is never aborted and tells nobody. Fields given replace these. */
export function createContext(fields: Partial<Context> = {}): Context {
  const signal = fields.signal ?? new AbortController().signal
  // Every transfer under way listens: with many small blobs these are more than Node takes for a leak.
  setMaxListeners(0, signal)
  return { signal, emit: fields.emit ?? (() => {}) }
}
