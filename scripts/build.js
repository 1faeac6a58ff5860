// Compiles src to dist and makes the bundle, unless they are newer than everything they are made from.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeBundle } from './bundle.js'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = `${root}dist/.built`

const newestSource = [
  'src',
  'scripts',
  'package.json',
  'package-lock.json',
  'oclif.manifest.json',
  'tsconfig.json',
  'tsconfig.build.json',
]
  .map(newest)
  .reduce((one, other) => Math.max(one, other))
if (existsSync(stamp) && statSync(stamp).mtimeMs > newestSource) process.exit(0)

// Beside the old one first, so that who runs the program meanwhile finds it whole.
const fresh = `${root}dist-${process.pid}`
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', fresh)
await writeBundle(fresh)
writeFileSync(`${fresh}/.built`, '')
if (existsSync(`${root}dist`)) renameSync(`${root}dist`, `${fresh}-old`)
renameSync(fresh, `${root}dist`)
rmSync(`${fresh}-old`, { recursive: true, force: true })

function newest(path) {
  const status = statSync(`${root}${path}`)
  if (!status.isDirectory()) return status.mtimeMs
  return readdirSync(`${root}${path}`)
    .map(name => newest(`${path}/${name}`))
    .reduce((one, other) => Math.max(one, other), status.mtimeMs)
}

function run(script, ...parameters) {
  const { status } = spawnSync(process.execPath, [`${root}${script}`, ...parameters], {
    cwd: root,
    stdio: 'inherit',
  })
  if (status !== 0) process.exit(status ?? 1)
}
