import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { run } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { missingTool } from '../support/tools.js'

const SCRIPT = fileURLToPath(new URL('../../scripts/bench.js', import.meta.url))

describe.skipIf(missingTool('docker-registry'))('the benchmark', () => {
  it('measures a row, and keeps the results as a table and as JSON', async () => {
    await using folder = await temporaryFolder()
    const places = ['--data', join(folder.path, 'data'), '--out', join(folder.path, 'out')]
    const chosen = ['--rows', 'tiny-push', '--tools', 'regctl', '--runs', '1']
    const { code, stdout, stderr } = await run(process.execPath, [SCRIPT, ...chosen, ...places])
    expect({ code, stderr }).toMatchObject({ code: 0 })
    expect(await readFile(join(folder.path, 'out', 'results.md'), 'utf8')).toBe(stdout)
    const results = JSON.parse(await readFile(join(folder.path, 'out', 'results.json'), 'utf8'))
    expect(results.rows).toHaveLength(1)
    const [trial] = results.rows[0].trials.regctl
    expect(trial.requests).toBeGreaterThan(60)
    expect(trial.seconds).toBeGreaterThan(0)
    expect(stdout).toContain('| push 60 tiny layers at 50 ms round trip |')
  })
})
