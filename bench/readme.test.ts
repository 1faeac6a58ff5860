import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { formatReadme, withResults } from './readme.js'
import { readResults } from './results-folder.js'
import { NO_RESULTS, sampleTrial } from './sample-results.js'
import { formatResults } from './table.js'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const newest = readdirSync(join(ROOT, 'bench/results')).sort().at(-1)
const FOLDER = `bench/results/${newest}`

describe('the newest results', async () => {
  const results = await readResults(join(ROOT, FOLDER))

  it('are what the README shows: `npm run bench -- --readme` puts them there', () => {
    expect(results).toBeDefined()
    const readme = readFileSync(join(ROOT, 'README.md'), 'utf8')
    expect(readme).toBe(withResults(readme, formatReadme(results ?? NO_RESULTS, FOLDER)))
  })

  it('are what the table beside them shows', () => {
    expect(readFileSync(join(ROOT, FOLDER, 'results.md'), 'utf8')).toBe(formatResults(results ?? NO_RESULTS))
  })
})

describe('formatReadme', () => {
  it('gives the times of each tool, with its version, and the command beside them', () => {
    const docker = [sampleTrial(30, { loadSeconds: 12 })]
    const trials = { docker, skopeo: [sampleTrial(8)], regctl: [sampleTrial(3), sampleTrial(5)] }
    const text = formatReadme(
      { ...NO_RESULTS, rows: [{ id: 'push-archive', title: 'push it', trials }] },
      'bench/results/x',
    )
    expect(text).toContain('`npm run bench -- --rows all`')
    expect(text).toContain('(bench/results/x/results.md)')
    expect(text).toContain(
      '| work | regctl | skopeo 1.22 | docker 28.2 |\n| --- | ---: | ---: | ---: |\n| push it | 4.00 | 8.00 | 30.00 |\n',
    )
    expect(text).toContain('it loads it, which took 12.00 s more.')
    expect(text).not.toMatch(/Start-up|Memory of regctl/)
  })

  it('gives start-up for each Node', () => {
    const row = (tool: string, command: string, isFirst: boolean, wallMs: number) => {
      return { tool, node: '24.1.0', command, isFirst, wallMs, cpuMs: wallMs }
    }
    const starts = [
      row('node', 'an empty file', false, 20),
      row('regctl', '--version', false, 25),
      row('regctl', '--version', true, 50),
    ]
    const text = formatReadme({ ...NO_RESULTS, starts }, 'x')
    expect(text).toContain(
      '| command | Node 24.1.0 |\n| --- | ---: |\n| `regctl --version` | 1.25 / 1.25 |\n',
    )
    expect(text).toContain('| `regctl digest` of an image in a registry | – |\n')
    expect(text).toContain('| `regctl --version`, the first time ever | 2.50 / 2.50 |\n')
  })
})
