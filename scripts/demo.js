// Shows the main job end to end: an image file is pushed to the embedded registry, pulled back by its digest, copied under
// a second name, and listed.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeDemoImage } from './demo-image.js'

const start = fileURLToPath(new URL('../bin/run.js', import.meta.url))
const folder = await mkdtemp(join(tmpdir(), 'regctl-demo-'))
let server
try {
  const image = join(folder, 'image.tar')
  await writeDemoImage(image, folder, 'demo/regctl:latest')
  console.log(`An image of ${((await stat(image)).size / 1e6).toFixed(0)} MB was made: ${image}\n`)

  server = spawn(process.execPath, [start, 'serve', '--address', '127.0.0.1:0', '--quiet', '--json'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const registry = await addressOf(server)
  const digestFile = join(folder, 'digest')

  await regctl('push', image, `${registry}/regctl:latest`, '--digest-file', digestFile)
  const digest = (await readFile(digestFile, 'utf8')).trim()
  await regctl('pull', `${registry}/regctl@${digest}`, join(folder, 'pulled'))
  await regctl('copy', `${registry}/regctl@${digest}`, `${registry}/mirror/regctl:1.0`)
  await regctl('tags', `${registry}/mirror/regctl`)
  const pulled = JSON.parse(await readFile(join(folder, 'pulled', 'index.json'), 'utf8')).manifests[0].digest
  if (pulled !== digest) throw new Error(`pushed ${digest} but pulled ${pulled}`)
  console.log(`\nPushed, pulled and copied: ${digest}`)
} finally {
  server?.kill()
  await rm(folder, { recursive: true, force: true })
}

async function addressOf(process) {
  let text = ''
  for await (const chunk of process.stdout) {
    text += chunk
    try {
      return JSON.parse(text).address
    } catch {
      // The document is not complete yet.
    }
  }
  throw new Error('the registry did not start')
}

async function regctl(...parameters) {
  console.log(`$ regctl ${parameters.join(' ')}`)
  const child = spawn(process.execPath, [start, ...parameters], { stdio: 'inherit' })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw new Error(`regctl ${parameters[0]} ended with ${code}`)
  console.log()
}
