import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Results } from '../../bench/results.js'
import { run } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine, missingTool } from '../support/tools.js'

const SCRIPT = fileURLToPath(new URL('../../scripts/bench.js', import.meta.url))

/** Runs the benchmark into a folder, and gives its JSON and what it printed. */
async function bench(folder: string, ...parameters: string[]) {
  const places = ['--data', join(folder, 'data'), '--out', join(folder, 'out')]
  const { code, stdout, stderr } = await run(process.execPath, [SCRIPT, ...places, ...parameters])
  expect({ code, stderr }).toMatchObject({ code: 0 })
  expect(await readFile(join(folder, 'out', 'results.md'), 'utf8')).toBe(stdout)
  const results = JSON.parse(await readFile(join(folder, 'out', 'results.json'), 'utf8')) as Results
  return { results, stdout }
}

describe.skipIf(missingTool('docker-registry'))('the benchmark', () => {
  it('measures a row, and keeps the results as a table and as JSON', async () => {
    await using folder = await temporaryFolder()
    const chosen = ['--rows', 'tiny-push', '--tools', 'regctl', '--runs', '1']
    const { results, stdout } = await bench(folder.path, ...chosen)
    expect(results.rows).toHaveLength(1)
    const trial = results.rows[0]?.trials.regctl?.[0]
    expect(trial?.requests).toBeGreaterThan(60)
    expect(trial?.seconds).toBeGreaterThan(0)
    expect(stdout).toContain('| push 60 tiny layers at 50 ms round trip |')
  })

  it('measures the memory of every way of an image', async () => {
    await using folder = await temporaryFolder()
    const { results } = await bench(folder.path, '--rows', 'memory', '--size', '2', '--tools', 'regctl')
    expect(results.memory.map(({ id }) => id)).toEqual(
      expect.arrayContaining(['push-archive', 'push-pipe', 'push-layout', 'pull-layout', 'copy']),
    )
    for (const { peakMB } of results.memory) expect(peakMB).toBeGreaterThan(20)
  })

  it.skipIf(missingDockerEngine())('counts what a push, one more and one from a pipe do', async () => {
    await using folder = await temporaryFolder()
    const chosen = ['--rows', 'push-archive,push-again,push-pipe', '--tools', 'regctl,docker']
    const { results } = await bench(folder.path, ...chosen, '--runs', '1', '--size', '2')
    const [first, again, pipe] = results.rows.map(({ trials }) => trials)
    expect(first?.regctl?.[0]?.uploadRequests).toBeGreaterThan(0)
    expect(again?.regctl?.[0]).toMatchObject({ uploadRequests: 0 })
    expect(pipe?.regctl?.[0]?.diskMB).toBeGreaterThan(0.1)
    expect(first?.docker?.[0]?.loadSeconds).toBeGreaterThan(0)
    expect(first?.docker?.[0]?.peakMB).toBeGreaterThan(20)
    expect(again?.docker?.[0]?.storedMB).toBeGreaterThan(0.1)
    expect(pipe?.docker).toBeUndefined()
  })
})
