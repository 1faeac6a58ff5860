import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startRegistry, type TestRegistry } from '../e2e/test-registry.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { Cleanup } from '../support/cleanup.js'
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { type CommandRun, killAtRandom, randomNumbers, runOrKill, SEED } from './random-kill.js'
import { brokenBlobs, digestIfWhole } from './whole.js'

const PROCESSES = 8
/** In milliseconds: so long a command takes at least when seven others run beside it. */
const USUAL_MS = 1500

const stack = new Cleanup()
let root: string
let archive: string
let registry: TestRegistry
let slow: SlowProxy

beforeAll(async () => {
  root = stack.use(await temporaryFolder()).path
  archive = join(root, 'image.tar')
  const layers = [1, 2, 3].map(seed => ({ seed, size: 400_000 }))
  await writeDockerArchive(archive, [{ layers, repoTags: ['acme/app:1'] }])
  registry = stack.use(await startRegistry())
  slow = stack.use(await startSlowProxy(registry.host, 500_000))
})
afterAll(() => stack[Symbol.asyncDispose]())

/** Runs commands of one user at once, every second of which is killed. @returns those that were killed */
async function runTogether(commands: CommandRun[], random: () => number): Promise<CommandRun[]> {
  const ended = await Promise.all(
    commands.map((command, number) =>
      number % 2 === 0 ? runOrKill(command) : killAtRandom(command, USUAL_MS, random),
    ),
  )
  for (const { code, signal, output } of ended) expect(signal === 'SIGKILL' || code === 0, output).toBe(true)
  return commands.filter((_, number) => ended[number]?.signal === 'SIGKILL')
}

describe(`${PROCESSES} runs of one user at once, half of which are killed`, () => {
  it('push from one archive through one cache, and all repositories end with the same image', async () => {
    const home = join(root, 'pushing')
    const commands = Array.from({ length: PROCESSES }, (_, number) => ({
      parameters: ['push', archive, `${slow.host}/to${number % 4}:${number}`],
      home,
    }))
    const killed = await runTogether(commands, randomNumbers(SEED))
    for (const command of killed) expect(await runOrKill(command)).toMatchObject({ code: 0 })
    const digests = commands.map((_, number) => digestIfWhole(`${registry.host}/to${number % 4}:${number}`))
    const [first, ...others] = await Promise.all(digests)
    expect(first).toMatch(/^sha256:/)
    expect(new Set(others)).toEqual(new Set([first]))
  })

  it('pull into one layout, which ends with every tag and no broken blob', async () => {
    const home = join(root, 'pulling')
    const layout = join(root, 'layout')
    const tags = Array.from({ length: PROCESSES }, (_, number) => `t${number}`)
    const first = { parameters: ['push', archive, `${registry.host}/from:1`], home }
    expect(await runOrKill(first)).toMatchObject({ code: 0 })
    const commands = tags.map(tag => ({
      parameters: ['copy', `${slow.host}/from:1`, `oci:${layout}:${tag}`],
      home,
    }))
    const killed = await runTogether(commands, randomNumbers(SEED + 1))
    expect(await brokenBlobs(layout)).toEqual([])
    const again = await Promise.all(killed.map(command => runOrKill(command)))
    for (const { code, output } of again) expect(code, output).toBe(0)
    for (const tag of tags) expect(await digestIfWhole(`oci:${layout}:${tag}`)).toMatch(/^sha256:/)
    expect(await brokenBlobs(layout)).toEqual([])
  })
})
