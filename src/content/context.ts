import type { Context } from './store.js'

/** A context that is never aborted and tells nobody. Fields given replace these. */
export function createContext(fields: Partial<Context> = {}): Context {
  return { signal: fields.signal ?? new AbortController().signal, emit: fields.emit ?? (() => {}) }
}
