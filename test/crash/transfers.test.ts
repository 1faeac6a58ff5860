import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import type { Digest } from '../../src/content/digest.js'
import { serve } from '../e2e/serve-process.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { Cleanup } from '../support/cleanup.js'
import { startDockerRegistry } from '../support/docker-registry.js'
import { buildImage, writeLayout } from '../support/image-builder.js'
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'
import { KILLS, killAtRandom, LIMIT_MS, randomNumbers, runOrKill, SEED } from './random-kill.js'
import { brokenBlobs, digestIfWhole } from './whole.js'

vi.setConfig({ testTimeout: LIMIT_MS })

const LAYERS = [1, 2, 3, 4, 5, 6].map(seed => ({ seed, size: 300_000 }))
/** A transfer of what the image has takes some hundred milliseconds. */
const SLOW = 1_000_000

const noReference = missingTool('docker-registry')
if (noReference !== undefined)
  process.stderr.write(`docker-registry is not among the killed: ${noReference}\n`)

const stack = new Cleanup()
/** The folder of everything. */
let root: string
let archive: string
let layout: string
/** Where regctl's own registry keeps what it has. */
let data: string
let own: { direct: string; slow: SlowProxy }
let reference: { direct: string; slow: SlowProxy; storage: string } | undefined

beforeAll(async () => {
  process.stderr.write(`REGCTL_SEED=${SEED} REGCTL_KILLS=${KILLS}\n`)
  root = stack.use(await temporaryFolder()).path
  archive = join(root, 'image.tar')
  await writeDockerArchive(archive, [{ layers: LAYERS, repoTags: ['acme/app:1'] }])
  const image = await buildImage({ layers: LAYERS })
  layout = join(root, 'layout')
  await writeLayout(layout, [{ manifest: image.manifest, tag: '1' }], image.blobs)
  data = join(root, 'data')
  const { host } = stack.use(await serve(root, '--quiet', '--data', data))
  own = { direct: host, slow: stack.use(await startSlowProxy(host, SLOW)) }
  if (noReference === undefined) {
    const registry = stack.use(await startDockerRegistry())
    const slow = stack.use(await startSlowProxy(registry.host, SLOW))
    reference = { direct: registry.host, slow, storage: registry.storage }
  }
  const pushed = await runOrKill({ parameters: ['push', `oci:${layout}:1`, `${host}/from:1`], home: root })
  expect(pushed).toMatchObject({ code: 0 })
})

afterAll(() => stack[Symbol.asyncDispose]())

/** One way of moving an image, to a target that each run has for itself. */
interface Scenario {
  name: string
  /** @param id of the target */
  parameters(id: string): string[]
  /** Where the image is then, past the slow line. */
  target(id: string): string
  /** Where broken blobs would be. */
  storage(id: string): string
  /** Whether a target that is complete is refused. */
  isFinal?: boolean
}

const pullTo = (name: string, suffix: string, ...flags: string[]): Scenario => ({
  name: `pull to ${name}`,
  parameters: id => ['pull', `${own.slow.host}/from:1`, join(root, id + suffix), ...flags],
  target: id => join(root, id + suffix),
  storage: id => join(root, id + suffix),
})

const SCENARIOS: Scenario[] = [
  {
    name: 'push of a docker-archive',
    parameters: id => ['push', archive, `${own.slow.host}/${id}:1`],
    target: id => `${own.direct}/${id}:1`,
    storage: id => join(data, id),
  },
  {
    name: 'push of a layout',
    parameters: id => ['push', `oci:${layout}:1`, `${own.slow.host}/${id}:1`],
    target: id => `${own.direct}/${id}:1`,
    storage: id => join(data, id),
  },
  pullTo('a layout', '', '--format', 'oci'),
  pullTo('an oci-archive', '.tar', '--format', 'oci-archive'),
  pullTo('a docker-archive', '.tar', '--format', 'docker-archive'),
  pullTo('an uncompressed docker-archive', '.tar', '--format', 'docker-archive', '--uncompressed'),
  { ...pullTo('a dir', '', '--format', 'dir'), isFinal: true },
  ...(noReference !== undefined
    ? []
    : [
        {
          name: 'copy to the reference registry',
          parameters: (id: string) => ['copy', `${own.slow.host}/from:1`, `${reference?.slow.host}/${id}:1`],
          target: (id: string) => `${reference?.direct}/${id}:1`,
          storage: () => reference?.storage ?? '',
        },
      ]),
]

describe.each(SCENARIOS.map((scenario, number) => ({ ...scenario, number })))('a killed $name', scenario => {
  it('leaves all or nothing under the final name, and the next run completes it', async () => {
    const random = randomNumbers(SEED + scenario.number)
    const home = join(root, `home-${scenario.number}`)
    const lines = [own.slow, ...(reference === undefined ? [] : [reference.slow])]
    const first = await runOrKill({ parameters: scenario.parameters(`s${scenario.number}`), home })
    expect(first).toMatchObject({ code: 0 })
    const expected = (await digestIfWhole(scenario.target(`s${scenario.number}`))) as Digest
    expect(expected).toMatch(/^sha256:/)

    // About half of all kills are of transfers.
    const kills = Math.ceil((KILLS / 2 - scenario.number) / SCENARIOS.length)
    for (let kill = 0; kill < kills; kill++) {
      const id = `s${scenario.number}-${kill}`
      const command = { parameters: scenario.parameters(id), home }
      const { killedAfterMs, signal } = await killAtRandom(command, first.tookMs, random)
      const what = `${scenario.name}, killed after ${killedAfterMs} ms`
      const left = await digestIfWhole(scenario.target(id)).catch((error: Error) => error.message)
      expect([undefined, expected], what).toContain(left)
      if (signal === null) expect(left, what).toBe(expected)
      expect(await brokenBlobs(scenario.storage(id)), what).toEqual([])

      // A dir is not written to twice, and this one was in place before the process was killed.
      if (scenario.isFinal === true && left === expected) continue
      for (const line of lines) line.bytesPerSecond = Number.POSITIVE_INFINITY
      const again = await runOrKill(command)
      for (const line of lines) line.bytesPerSecond = SLOW
      expect({ code: again.code, output: again.output }, what).toMatchObject({ code: 0 })
      expect(warningsIn(again.output), what).toBe(warningsIn(first.output))
      expect(await digestIfWhole(scenario.target(id)), what).toBe(expected)
    }
  })
})

function warningsIn(output: string): number {
  return output.match(/^warning:/gm)?.length ?? 0
}
