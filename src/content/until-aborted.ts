import type { Chunks } from './chunks.js'

/** The chunks until a signal is aborted: its reason is thrown at once then, also while a chunk is waited for that never comes. */
export async function* untilAborted(
  chunks: Chunks,
  signal: AbortSignal,
): AsyncGenerator<Buffer, void, undefined> {
  const iterator = chunks[Symbol.asyncIterator]()
  let giveUp = () => {}
  const abort = () => giveUp()
  signal.addEventListener('abort', abort)
  try {
    for (;;) {
      signal.throwIfAborted()
      const { done, value } = await new Promise<IteratorResult<Buffer>>((resolve, reject) => {
        giveUp = () => reject(signal.reason)
        iterator.next().then(resolve, reject)
      })
      if (done === true) return
      yield value
    }
  } finally {
    signal.removeEventListener('abort', abort)
    // What it waits for may never come.
    iterator.return?.().catch(() => {})
  }
}
