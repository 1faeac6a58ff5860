import { availableParallelism } from 'node:os'
import type { Chunks } from '../content/chunks.js'
import { WeightedLimit } from '../limit.js'
import { type InflateOptions, InflateThread } from './inflate-thread.js'

/** So many threads are as fast as one can hash what they make. */
const MOST_THREADS = 4
/** How long a thread waits for more to do. */
const IDLE_MS = 1000

const count = Math.min(availableParallelism(), MOST_THREADS)
const limit = new WeightedLimit({ count })
const idle: InflateThread[] = []
let busy = 0
let ending: NodeJS.Timeout | undefined

/**
 * Decompresses gzip in a thread, one for each core, which all streams of the process share. Small streams are not worth it.
 *
 * @throws as {@link InflateThread.inflate}
 */
export async function* inflateInThread(
  input: Chunks,
  options: InflateOptions,
): AsyncGenerator<Buffer, void, undefined> {
  const { thread, release } = await takeThread()
  try {
    yield* thread.inflate(input, options)
  } finally {
    release()
  }
}

/** Starts a thread for a stream that comes soon, unless there are as many as there may be: it takes as long as some MB. */
export function prepareThread(): void {
  if (busy + idle.length < count) giveBack(new InflateThread())
}

async function takeThread(): Promise<{ thread: InflateThread; release(): void }> {
  return await new Promise((resolve, reject) => {
    const use = () =>
      new Promise<void>(release => {
        const thread = idle.pop() ?? new InflateThread()
        busy++
        resolve({
          thread,
          release: () => {
            busy--
            giveBack(thread)
            release()
          },
        })
      })
    limit.run(1, use).catch(reject)
  })
}

function giveBack(thread: InflateThread): void {
  if (thread.isUsable) idle.push(thread)
  clearTimeout(ending)
  ending = setTimeout(() => {
    for (const one of idle.splice(0)) one.end()
  }, IDLE_MS).unref()
}
