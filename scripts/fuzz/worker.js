// Makes inputs one after another, and feeds each to the library.
import { rm } from 'node:fs/promises'
import { loadInputs } from './inputs.js'
import { Random } from './random.js'
import { feedImage, feedText } from './targets.js'

/** What stays in memory after an input, in bytes, with everything collected. */
const MEMORY_LIMIT = 400 * 1024 * 1024

const { seed, first, only, images, folder } = JSON.parse(process.argv[2])
const inputs = await loadInputs(images)
const tell = message => new Promise(resolve => process.send(message, resolve))
const fail = async error => {
  await tell({ finding: describe(error) })
  process.exit(0)
}
process.on('uncaughtException', fail)
process.on('unhandledRejection', fail)

for (let number = first; ; number++) {
  await tell({ started: number })
  const random = new Random(seed * 1_000_003 + number)
  await rm(`${folder}/input`, { recursive: true, force: true })
  try {
    if (random.below(4) === 0) await feedText(inputs, random, `${folder}/input`)
    else await feedImage(inputs, random, `${folder}/input`)
  } catch (error) {
    await fail(error)
  }
  if (process.memoryUsage.rss() > MEMORY_LIMIT) {
    globalThis.gc()
    // What is gone in time is no leak: buffers outside the heap are freed a little later.
    await new Promise(resolve => setTimeout(resolve, 50))
    globalThis.gc()
    const { heapUsed, external } = process.memoryUsage()
    if (heapUsed + external > MEMORY_LIMIT)
      await fail(new Error(`keeps ${heapUsed + external} bytes in memory`))
  }
  if (only) process.exit(0)
}

function describe(error) {
  return error instanceof Error ? `${error.stack}` : `threw ${JSON.stringify(error)}`
}
