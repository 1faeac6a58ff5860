import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { FAULT_IDS } from '../support/faults/all.js'

const ROOT = new URL('../../', import.meta.url)
const FAMILIES = new Set(FAULT_IDS.map(id => id.split('/')[0]))
const lines = (await readFile(new URL('docs/faults.md', ROOT), 'utf8')).split('\n')
const rows = lines
  .filter(line => line.startsWith('| `'))
  .map(line => line.split('|').map(cell => cell.trim()))

/** What is in code font in a cell. */
const namesIn = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name)
const isId = (name: string) => FAMILIES.has(name.split('/')[0])

it('the documentation has every fault once, and no other', () => {
  const documented = rows.flatMap(([, fault]) => namesIn(fault).filter(isId))
  expect([...documented].sort()).toEqual([...FAULT_IDS].sort())
})

it('the documentation says of each fault what is done about it', () => {
  for (const [, fault, answer = ''] of rows) expect(answer.length, fault).toBeGreaterThan(5)
})

it('the documentation names tests that are there and that are about the fault', async () => {
  for (const [, fault = '', , where] of rows) {
    const files = namesIn(where)
    expect(files.length, fault).toBeGreaterThan(0)
    for (const file of files) expect(existsSync(fileURLToPath(new URL(file, ROOT))), file).toBe(true)
    const text = (await Promise.all(files.map(file => readFile(new URL(file, ROOT), 'utf8')))).join('\n')
    // Where a test goes through all faults of a family, it names the family's table.
    for (const id of namesIn(fault).filter(isId)) {
      const [family = '', name = ''] = id.split('/')
      const isNamed = text.includes(name) || text.includes(`Object.keys(${family.toUpperCase()}_FAULTS)`)
      expect(isNamed, id).toBe(true)
    }
  }
})
