// Bundles the benchmark, which is TypeScript as the tests' support is, and runs it.
import { spawnSync } from 'node:child_process'
import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const root = fileURLToPath(new URL('..', import.meta.url))
// In a folder as deep as bench, from which it finds the other files.
const folder = `${root}bench/.built-${process.pid}`
const bundle = await rolldown({
  input: `${root}bench/main.ts`,
  platform: 'node',
  // Node 20 has no `await using`.
  transform: { target: 'node20' },
  external: id => !/^[./]|^@oxc-project/.test(id),
})
try {
  await bundle.write({ file: `${folder}.js`, format: 'esm' })
  const { status } = spawnSync(process.execPath, [`${folder}.js`, ...process.argv.slice(2)], {
    stdio: 'inherit',
  })
  process.exitCode = status ?? 1
} finally {
  rmSync(`${folder}.js`, { force: true })
}
