import { spawn } from 'node:child_process'
import { createReadStream, createWriteStream, type Dirent } from 'node:fs'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { Digester, digestOf } from '../src/content/digest.js'
import { writeDockerArchive } from '../test/support/archive-builder.js'
import { LAYOUT_TAG } from './tools.js'

/** Where files are taken from: what is on every machine, and much like what is in images. */
const ROOTS = ['/usr/lib', '/usr/share', '/usr/bin', '/usr/local', '/opt']
/** How large the layers are, as parts of the whole: one large one, as most images have. */
const LAYER_PARTS = [0.45, 0.25, 0.15, 0.1, 0.05]
const MB = 1e6
/** The name of the image in an archive. */
export const ARCHIVE_TAG = 'bench/real:1'

/**
 * A docker-archive with plain layers, made of this machine's own files.
 *
 * @param folder keeps it for the next time
 * @returns its path
 */
export async function realArchive(folder: string, sizeMB: number): Promise<string> {
  const path = join(folder, `real-${sizeMB}.tar`)
  return await made(path, async temporary => {
    const parts = join(folder, `parts-${process.pid}`)
    await mkdir(parts, { recursive: true })
    try {
      const layers = await writeLayers(parts, sizeMB)
      await packArchive(parts, layers, temporary)
    } finally {
      await rm(parts, { recursive: true, force: true })
    }
  })
}

/** The layers of {@link realArchive} compressed, in an OCI layout. */
export async function realLayout(folder: string, sizeMB: number): Promise<string> {
  const archive = await realArchive(folder, sizeMB)
  return await made(join(folder, `real-${sizeMB}`), async temporary => {
    const parts = join(folder, `parts-${process.pid}`)
    await mkdir(parts, { recursive: true })
    try {
      await ended('tar', ['-xf', archive, '-C', parts])
      const names = (await readdir(parts)).filter(name => name.endsWith('.tar')).sort()
      await writeLayout(temporary, parts, names)
    } finally {
      await rm(parts, { recursive: true, force: true })
    }
  })
}

/** An OCI layout of many layers of a few bytes each. */
export async function tinyLayout(folder: string, count: number): Promise<string> {
  return await made(join(folder, `tiny-${count}`), async temporary => {
    const parts = join(folder, `parts-${process.pid}`)
    await mkdir(parts, { recursive: true })
    try {
      const names: string[] = []
      for (let number = 0; number < count; number++) {
        const name = `${String(number).padStart(3, '0')}.tar`
        await writeFile(join(parts, `file-${number}`), `${number}\n`)
        await ended('tar', ['-cf', join(parts, name), '-C', parts, `file-${number}`])
        names.push(name)
      }
      await writeLayout(temporary, parts, names)
    } finally {
      await rm(parts, { recursive: true, force: true })
    }
  })
}

/**
 * A docker-archive of plain layers that are quickly made, and that compress to about one half.
 *
 * @param sizesMB of the layers
 */
export async function randomArchive(folder: string, sizesMB: readonly number[]): Promise<string> {
  return await made(join(folder, `random-${sizesMB.join('-')}.tar`), async temporary => {
    const layers = sizesMB.map((sizeMB, number) => ({ seed: number + 1, size: Math.round(sizeMB * MB) }))
    await writeDockerArchive(temporary, [{ layers, repoTags: [ARCHIVE_TAG] }])
  })
}

/** How large the layers of an image are that has so many MB. */
export function layerSizesMB(sizeMB: number): number[] {
  return LAYER_PARTS.map(part => sizeMB * part)
}

/** Makes something under another name first, unless it is there. The system has it in memory then, in either case. */
async function made(path: string, make: (temporary: string) => Promise<void>): Promise<string> {
  if (await stat(path).catch(() => undefined)) {
    await ended('sh', ['-c', 'find "$1" -type f -exec cat {} + >/dev/null', 'sh', path])
    return path
  }
  await mkdir(join(path, '..'), { recursive: true })
  const temporary = `${path}.${process.pid}`
  await make(temporary)
  await rename(temporary, path)
  return path
}

/** Fills tars with files, one after another, each up to its size. */
async function writeLayers(folder: string, sizeMB: number): Promise<string[]> {
  const files = regularFiles(ROOTS)
  const names: string[] = []
  for (const [number, layerMB] of layerSizesMB(sizeMB).entries()) {
    const list = join(folder, 'list')
    const chosen: string[] = []
    for (let left = layerMB * MB; left > 0; ) {
      const { value, done } = await files.next()
      if (done === true) break
      chosen.push(value.path)
      left -= value.size
    }
    await writeFile(list, chosen.join('\0'))
    const name = `${number}.tar`
    const parameters = [
      '--null',
      '-T',
      list,
      '--owner=0',
      '--group=0',
      '--mtime=@0',
      '-cf',
      join(folder, name),
    ]
    await ended('tar', parameters)
    names.push(name)
  }
  return names
}

async function* regularFiles(folders: readonly string[]): AsyncGenerator<{ path: string; size: number }> {
  for (const folder of folders) {
    const entries = await readdir(folder, { withFileTypes: true }).catch((): Dirent[] => [])
    entries.sort((one, other) => (one.name < other.name ? -1 : 1))
    for (const entry of entries) {
      const path = join(folder, entry.name)
      if (entry.isDirectory()) yield* regularFiles([path])
      else if (entry.isFile()) {
        const { size } = await stat(path)
        // One huge file would decide what a layer compresses to.
        if (size < 64 * MB) yield { path, size }
      }
    }
  }
}

async function packArchive(folder: string, layers: readonly string[], target: string): Promise<void> {
  const diffIDs = await Promise.all(layers.map(name => digestOfFile(join(folder, name))))
  const config = configOf(diffIDs.map(({ digest }) => digest))
  const configName = `${digestOf(config).slice(7)}.json`
  await writeFile(join(folder, configName), config)
  const manifest = [{ Config: configName, RepoTags: [ARCHIVE_TAG], Layers: layers }]
  await writeFile(join(folder, 'manifest.json'), JSON.stringify(manifest))
  await ended('tar', ['-cf', target, '-C', folder, ...layers, configName, 'manifest.json'])
}

async function writeLayout(target: string, folder: string, layers: readonly string[]): Promise<void> {
  const blobs = join(target, 'blobs', 'sha256')
  await mkdir(blobs, { recursive: true })
  const diffIDs: string[] = []
  const descriptors: object[] = []
  for (const name of layers) {
    const plain = join(folder, name)
    diffIDs.push((await digestOfFile(plain)).digest)
    await compress(plain)
    const { digest, size } = await digestOfFile(`${plain}.gz`)
    await rename(`${plain}.gz`, join(blobs, digest.slice(7)))
    descriptors.push({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size })
  }
  const put = async (mediaType: string, bytes: Buffer) => {
    const digest = digestOf(bytes)
    await writeFile(join(blobs, digest.slice(7)), bytes)
    return { mediaType, digest, size: bytes.length }
  }
  const config = await put('application/vnd.oci.image.config.v1+json', configOf(diffIDs))
  const mediaType = 'application/vnd.oci.image.manifest.v1+json'
  const manifest = { schemaVersion: 2, mediaType, config, layers: descriptors }
  const root = await put(mediaType, Buffer.from(JSON.stringify(manifest)))
  const annotations = { 'org.opencontainers.image.ref.name': LAYOUT_TAG }
  await writeFile(
    join(target, 'index.json'),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...root, annotations }] }),
  )
  await writeFile(join(target, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}')
}

function configOf(diffIDs: readonly string[]): Buffer {
  return Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config: {},
      rootfs: { type: 'layers', diff_ids: diffIDs },
      history: diffIDs.map((_, number) => ({
        created: '2024-01-01T00:00:00Z',
        created_by: `layer ${number}`,
      })),
    }),
  )
}

async function compress(path: string): Promise<void> {
  await pipeline(createReadStream(path), createGzip({ level: 6 }), createWriteStream(`${path}.gz`))
}

async function digestOfFile(path: string): Promise<{ digest: string; size: number }> {
  const digester = new Digester()
  for await (const chunk of createReadStream(path, { highWaterMark: 1024 * 1024 })) digester.update(chunk)
  return { digest: digester.digest(), size: digester.size }
}

async function ended(program: string, parameters: readonly string[]): Promise<void> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  // Files of a running machine change while they are read: 1 says just that.
  if (code !== 0 && code !== 1) throw new Error(`${program} failed`)
}
