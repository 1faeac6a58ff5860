import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { describe, expect, it } from 'vitest'
import { regctl, run } from '../support/run.js'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const readText = (name: string) => readFileSync(join(ROOT, name), 'utf8')
const readme = readText('README.md')
const manifest = JSON.parse(readText('package.json')) as {
  version: string
  bin: Record<string, string>
  exports: Record<string, Record<string, string>>
  files: string[]
  dependencies: Record<string, string>
}

describe('the package', () => {
  it('has every file that package.json names, once it is built', () => {
    const named = [
      ...Object.values(manifest.bin),
      ...Object.values(manifest.exports).flatMap(targets => Object.values(targets)),
      ...manifest.files,
    ]
    expect(named.filter(name => !existsSync(join(ROOT, name.replace(/\*$/, ''))))).toEqual([])
  })

  it('says which version it is', async () => {
    const { code, stdout } = await regctl('--version')
    expect(code).toBe(0)
    expect(stdout).toContain(`/${manifest.version} `)
  })

  it('gives a reason for each dependency in the README', () => {
    const table = readme.slice(readme.indexOf('## Dependencies'))
    const missing = Object.keys(manifest.dependencies).filter(name => !table.includes(`\`${name}\``))
    expect(missing).toEqual([])
  })

  it('is a library that has the names of the README', async () => {
    const example = /```js\n(import \{[^}]+\} from '@regctl\/cli')/.exec(readme)?.[1] ?? ''
    const names =
      /\{([^}]+)\}/
        .exec(example)?.[1]
        ?.split(',')
        .map(name => name.trim()) ?? []
    expect(names.length).toBeGreaterThan(0)
    // A package may import itself by name, as its users do.
    const script = `${example}\nconsole.log([${names.join(', ')}].every(name => typeof name === 'function'))`
    const byName = await run(process.execPath, ['--input-type=module', '-e', script], { cwd: ROOT })
    expect(byName).toMatchObject({ code: 0, stdout: 'true\n' })
    const library = (await import(pathToFileURL(join(ROOT, 'dist/index.js')).href)) as object
    expect(Object.keys(library)).toEqual(expect.arrayContaining(names))
  })

  it('names every command in the README', () => {
    const commands = JSON.parse(readText('oclif.manifest.json')) as {
      commands: Record<string, { flags: Record<string, unknown> }>
    }
    for (const name of Object.keys(commands.commands)) expect(readme).toContain(name.replaceAll(':', ' '))
  })
})
