import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { systemEnvironment } from '../test/support/run.js'
import { temporaryFolder } from '../test/support/temporary-folder.js'
import { measure, median } from './measure.js'

const NODE = [process.execPath] as const

describe('measure', () => {
  it('knows the time, the memory, and the most that lay on the disk', async () => {
    await using folder = await temporaryFolder()
    const program = `
      const { openSync, rmSync, writeFileSync, writeSync } = require('node:fs')
      const [named, nameless] = ['named', 'nameless'].map(name => ${JSON.stringify(folder.path)} + '/' + name)
      writeFileSync(named, Buffer.alloc(1e6))
      const file = openSync(nameless, 'w')
      rmSync(nameless)
      writeSync(file, Buffer.alloc(2e6))
      setTimeout(() => rmSync(named), 300)`
    const measured = await measure({
      launch: NODE,
      parameters: ['--eval', program],
      env: systemEnvironment(),
      folders: [folder.path],
    })
    expect(measured.seconds).toBeGreaterThan(0.3)
    expect(measured.cpuSeconds).toBeGreaterThan(0)
    expect(measured.peakMB).toBeGreaterThan(20)
    expect(measured.diskMB).toBe(3)
  })

  it('pipes a file into the command', async () => {
    await using folder = await temporaryFolder()
    const stdinFile = join(folder.path, 'input')
    await writeFile(stdinFile, 'process.exit(1)')
    const command = { launch: NODE, parameters: ['-'], env: systemEnvironment(), stdinFile }
    await expect(measure(command)).rejects.toThrow('failed')
    await writeFile(stdinFile, 'process.exit(0)')
    await expect(measure(command)).resolves.toMatchObject({ peakMB: expect.any(Number) })
  })

  it('says what a command wrote that fails', async () => {
    const command = {
      launch: NODE,
      parameters: ['--eval', 'throw new Error("no luck")'],
      env: systemEnvironment(),
    }
    await expect(measure(command)).rejects.toThrow(/--eval.* failed:.*no luck/s)
  })
})

describe('median', () => {
  it('is the one in the middle, or the mean of the two in the middle', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
  })
})
