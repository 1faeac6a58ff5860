// Compiles src to dist and writes oclif's manifest, unless both are newer than everything they are made from.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = `${root}dist/.built`

const newestSource = ['src', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json']
  .map(newest)
  .reduce((one, other) => Math.max(one, other))
if (existsSync(stamp) && statSync(stamp).mtimeMs > newestSource) process.exit(0)

rmSync(`${root}dist`, { recursive: true, force: true })
run('node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json')
writeFileSync(stamp, '')

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
