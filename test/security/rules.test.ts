import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))
/** The rules of security: each of them is a test that has its number in its name. */
const FIRST = 204
const LAST = 236

/**
 * The name of a test or of a group of them: what follows `test(`, `it.each(…)(` and the like. Names stand on the line
 * of the parenthesis or on the next one.
 */
const NAME =
  /(?:\b(?:test|it|describe)(?:\.(?:each|skipIf|runIf)\([^\n]*\))*(?:\.\w+)*|\n *\](?: as const)?\))\(\s*(['"`])((?:\\.|(?!\1)[^\\\n])*)\1/g

function testNames(): string[] {
  const files = ['src', 'test'].flatMap(folder =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map(path => join(folder, path)),
  )
  return files
    .filter(path => path.endsWith('.test.ts'))
    .flatMap(path => [...readFileSync(join(ROOT, path), 'utf8').matchAll(NAME)])
    .map(([, , name = '']) => name)
}

test('every rule of security is a test that is named by its number', () => {
  const names = testNames()
  expect(names.length).toBeGreaterThan(1000)
  const numbers = Array.from({ length: LAST - FIRST + 1 }, (_, index) => `R${FIRST + index}`)
  expect(numbers.filter(number => !names.some(name => new RegExp(`\\b${number}\\b`).test(name)))).toEqual([])
})
