// How long regctl takes to start, in times of what Node itself takes to run an empty file.
//
//   node bench/startup.js [--runs N] [NODE…]      each NODE is a program; without any, the one that runs this
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'

const { values, positionals } = parseArgs({
  options: { runs: { type: 'string', default: '20' } },
  allowPositionals: true,
})
const programs = positionals.length > 0 ? positionals : [process.execPath]
const start = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'regctl-startup-'))
const registry = await serve()
try {
  const image = await putImage(registry.address)
  const empty = join(folder, 'empty.cjs')
  writeFileSync(empty, '')
  console.log('| Node | started | cache | wall ms | times Node | CPU ms | times Node |')
  console.log('| --- | --- | --- | ---: | ---: | ---: | ---: |')
  for (const program of programs) measureAll(program, empty, image)
} finally {
  registry.process.kill()
  rmSync(folder, { recursive: true, force: true })
}

function measureAll(program, empty, image) {
  const warm = join(folder, 'warm')
  const regctl = (name, cold, ...parameters) => ({
    name,
    cold,
    parameters: [start, ...parameters],
    times: [],
  })
  const cases = [
    { name: 'an empty file', parameters: [empty], times: [] },
    ...[false, true].flatMap(cold => [
      regctl('--version', cold, '--version'),
      regctl('--help', cold, '--help'),
      regctl('digest of an image in a registry', cold, 'digest', image),
    ]),
  ]
  // What is measured warm has run before.
  for (const { parameters } of cases) time(program, parameters, warm)
  // One after the other, so that whatever else the machine does meets all alike.
  for (let run = 0; run < Number(values.runs); run += 1) {
    for (const { parameters, cold, times } of cases) {
      const cache = cold ? join(folder, 'cold') : warm
      times.push(time(program, parameters, cache))
      rmSync(join(folder, 'cold'), { recursive: true, force: true })
    }
  }
  const version = spawnSync(program, ['-p', 'process.versions.node'], { encoding: 'utf8' }).stdout.trim()
  const [bare] = cases.map(({ times }) => medians(times))
  for (const { name, cold, times } of cases) {
    const { wall, cpu } = medians(times)
    const cache = cold === undefined ? '' : cold ? 'none' : 'there'
    const cells = [
      version,
      name,
      cache,
      wall,
      (wall / bare.wall).toFixed(2),
      cpu,
      (cpu / bare.cpu).toFixed(2),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}

/** Runs a program to its end. bash says what its child used; Node says that of itself only. */
function time(program, parameters, cache) {
  const script = `TIMEFORMAT='%3R %3U %3S'; time "$@" >/dev/null 2>"$ERRORS"`
  const errors = join(folder, 'errors')
  const { status, stderr } = spawnSync('bash', ['-c', script, 'bash', program, ...parameters], {
    encoding: 'utf8',
    env: { PATH: process.env.PATH, HOME: folder, REGCTL_CACHE_DIR: cache, ERRORS: errors },
  })
  if (status !== 0) {
    cpSync(errors, '/dev/stderr')
    throw new Error(`${parameters.join(' ')} ended with ${status}`)
  }
  const [wall, user, system] = stderr
    .trim()
    .split(' ')
    .map(seconds => Math.round(Number(seconds) * 1000))
  return { wall, cpu: user + system }
}

function medians(times) {
  const median = numbers => numbers.sort((one, other) => one - other)[Math.floor(numbers.length / 2)]
  return { wall: median(times.map(({ wall }) => wall)), cpu: median(times.map(({ cpu }) => cpu)) }
}

async function serve() {
  const server = spawn(process.execPath, [start, 'serve', '--address', '127.0.0.1:0', '--quiet', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let text = ''
  while (!text.includes('}')) text += (await once(server.stdout, 'data'))[0]
  return { process: server, address: JSON.parse(text).address }
}

/** Puts an image without layers into the registry, and returns its name. */
async function putImage(address) {
  const repository = `http://${address}/v2/start`
  const digestOf = text => `sha256:${createHash('sha256').update(text).digest('hex')}`
  const config = '{"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}}'
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const described = {
    mediaType: 'application/vnd.oci.image.config.v1+json',
    digest: digestOf(config),
    size: config.length,
  }
  const manifest = JSON.stringify({ schemaVersion: 2, mediaType, config: described, layers: [] })
  await put(
    `${repository}/blobs/uploads/?digest=${described.digest}`,
    'POST',
    config,
    'application/octet-stream',
  )
  await put(`${repository}/manifests/latest`, 'PUT', manifest, mediaType)
  return `${address}/start:latest`
}

async function put(url, method, body, type) {
  const { status } = await fetch(url, { method, body, headers: { 'content-type': type } })
  if (status !== 201) throw new Error(`${method} ${url} was answered with ${status}`)
}
