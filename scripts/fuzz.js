// Feeds broken images, settings and headers to the library until the time is up: `npm run fuzz -- --seconds 600`.
//
// Whatever is thrown must be one of the library's own errors, soon, and without taking much memory. The inputs are made in a
// process of their own, so that one that never ends, or ends the process, is found too. A failing input is kept in
// the folder that is printed, with the seed and the number that make it again: `npm run fuzz -- --seed S --only N`.
import { fork } from 'node:child_process'
import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

/** An input that takes longer than this many seconds never ends, for all that anybody would wait. */
const LONGEST_SECONDS = 60
const MAXIMUM_FINDINGS = 20
const WORKER = fileURLToPath(new URL('./fuzz/worker.js', import.meta.url))

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '20' },
    seed: { type: 'string', default: `${Date.now() % 1_000_000_000}` },
    only: { type: 'string' },
    images: { type: 'string', default: fileURLToPath(new URL('../../shared/images', import.meta.url)) },
    keep: { type: 'string', default: join(tmpdir(), 'regctl-fuzz-findings') },
  },
})
const seed = Number(values.seed)
const end = performance.now() + Number(values.seconds) * 1000
const folder = await mkdtemp(join(tmpdir(), 'regctl-fuzz-'))
const findings = []
let tried = 0
let next = values.only === undefined ? 0 : Number(values.only)

process.stdout.write(`seed ${seed}, ${values.seconds} seconds\n`)
try {
  while (performance.now() < end && findings.length < MAXIMUM_FINDINGS) {
    const { last, finding } = await runWorker(next)
    tried += last - next + 1
    next = last + 1
    if (finding !== undefined) await keep(last, finding)
    if (values.only !== undefined) break
  }
} finally {
  await rm(folder, { recursive: true, force: true })
}
process.stdout.write(`${tried} inputs, ${findings.length} findings\n`)
process.exitCode = findings.length > 0 ? 1 : 0

/** Runs a worker from an input on, to its first finding or to the end. */
function runWorker(first) {
  return new Promise(resolve => {
    const settings = { seed, first, only: values.only !== undefined, images: values.images, folder }
    const worker = fork(WORKER, [JSON.stringify(settings)], {
      execArgv: ['--expose-gc', '--max-old-space-size=512'],
    })
    let last = first
    let finding
    let since = performance.now()
    const watch = setInterval(() => {
      if (performance.now() > end && finding === undefined) worker.kill('SIGKILL')
      else if (performance.now() - since > LONGEST_SECONDS * 1000) {
        finding = `takes longer than ${LONGEST_SECONDS} seconds`
        worker.kill('SIGKILL')
      }
    }, 200)
    worker.on('message', message => {
      if (message.started !== undefined) {
        last = message.started
        since = performance.now()
      }
      if (message.finding !== undefined) finding = message.finding
    })
    worker.on('exit', (code, signal) => {
      clearInterval(watch)
      const isTimeUp = signal === 'SIGKILL' && finding === undefined
      if (code !== 0 && finding === undefined && !isTimeUp) finding = `ended the process (${code ?? signal})`
      resolve({ last, finding })
    })
  })
}

async function keep(number, finding) {
  const place = join(values.keep, `${seed}-${number}`)
  await rm(place, { recursive: true, force: true })
  await mkdir(values.keep, { recursive: true })
  await cp(folder, place, { recursive: true })
  findings.push(finding)
  process.stdout.write(`input ${number} of seed ${seed} (${place}): ${finding}\n`)
}
