// Writes an image of this very program as `docker save` would: node, the dependencies and regctl, a layer each.
import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { join, relative } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { pack } from 'tar-stream'

const root = fileURLToPath(new URL('..', import.meta.url))
const EPOCH = new Date(0)

const LAYERS = [
  { command: 'COPY node /usr/local/bin/', files: () => [[process.execPath, 'usr/local/bin/node', 0o755]] },
  { command: 'COPY node_modules /app/node_modules', files: () => folder('node_modules/@oclif/core') },
  {
    command: 'COPY dist package.json /app/',
    files: async () => [...(await folder('dist')), ...(await folder('bin'))],
  },
]

/**
 * Writes the image.
 *
 * @param {string} path of the file to write
 * @param {string} scratch an existing folder for the layers
 * @param {string} name the image's name
 */
export async function writeDemoImage(path, scratch, name) {
  const layers = []
  for (const [position, { files }] of LAYERS.entries()) {
    const file = join(scratch, `layer-${position}.tar`)
    await writeTar(file, await files())
    layers.push({ file, digest: await sha256(file) })
  }
  const config = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    created: EPOCH.toISOString(),
    config: { Entrypoint: ['/usr/local/bin/node', '/app/bin/run.js'], WorkingDir: '/app' },
    rootfs: { type: 'layers', diff_ids: layers.map(({ digest }) => `sha256:${digest}`) },
    history: LAYERS.map(({ command }) => ({ created: EPOCH.toISOString(), created_by: command })),
  })
  const configName = `${createHash('sha256').update(config).digest('hex')}.json`
  const manifest = [
    { Config: configName, RepoTags: [name], Layers: layers.map(({ digest }) => `${digest}/layer.tar`) },
  ]
  await writeTar(path, [
    ...layers.map(({ file, digest }) => [file, `${digest}/layer.tar`, 0o644]),
    [Buffer.from(config), configName, 0o644],
    [Buffer.from(JSON.stringify(manifest)), 'manifest.json', 0o644],
  ])
}

async function folder(path) {
  const entries = await readdir(join(root, path), { recursive: true, withFileTypes: true })
  return entries
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name))
    .sort()
    .map(file => [file, `app/${relative(root, file)}`, 0o644])
}

/** @param {string} path @param {[string | Buffer, string, number][]} files content or its path, name, mode */
async function writeTar(path, files) {
  const archive = pack()
  const written = pipeline(archive, createWriteStream(path))
  for (const [content, name, mode] of files) {
    if (Buffer.isBuffer(content)) {
      archive.entry({ name, mode, mtime: EPOCH }, content)
      continue
    }
    const { size } = await stat(content)
    // Small files are read at once: opening a stream for each takes longer.
    if (size < 1024 * 1024) archive.entry({ name, mode, mtime: EPOCH }, await readFile(content))
    else await pipeline(createReadStream(content), archive.entry({ name, mode, mtime: EPOCH, size }))
  }
  archive.finalize()
  await written
}

async function sha256(path) {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}
