import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { addResults } from './results.js'
import { readResults, writeResults } from './results-folder.js'
import { NO_RESULTS, sampleTrial } from './sample-results.js'

const row = (id: string, seconds: number) => ({ id, title: id, trials: { regctl: [sampleTrial(seconds)] } })
const size = (sizeMB: number, peakMB: number) => ({ id: 'copy', title: 'copy', sizeMB, peakMB })

describe('addResults', () => {
  it('replaces what was measured again, keeps the rest, and brings rows into their order', () => {
    const before = { ...NO_RESULTS, rows: [row('a', 1), row('c', 2)], memory: [size(5000, 1), size(1000, 2)] }
    const now = { ...NO_RESULTS, rows: [row('b', 3), row('a', 4)], memory: [size(1000, 3)] }
    const { rows, memory } = addResults(before, now, ['a', 'b', 'c'])
    expect(rows).toEqual([row('a', 4), row('b', 3), row('c', 2)])
    expect(memory).toEqual([size(1000, 3), size(5000, 1)])
  })

  it('knows the tools of both', () => {
    const machine = { ...NO_RESULTS.machine, versions: { node: '24.0.0', oras: '1.3.3' } }
    const { versions } = addResults(NO_RESULTS, { ...NO_RESULTS, machine }, []).machine
    expect(versions).toMatchObject({ node: '24.0.0', oras: '1.3.3', skopeo: '1.22.0' })
  })
})

describe('a folder of results', () => {
  it('gives what was written there', async () => {
    await using folder = await temporaryFolder()
    const path = join(folder.path, 'new')
    const results = { ...NO_RESULTS, rows: [row('a', 1)] }
    await writeResults(path, results)
    expect(await readResults(path)).toEqual(results)
  })

  it('has none when it is not there', async () => {
    await using folder = await temporaryFolder()
    expect(await readResults(`${folder.path}/none`)).toBeUndefined()
  })
})
