import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { decompress } from '../compression/decompress.js'
import { SNIFF_LENGTH, sniffCompression } from '../compression/sniff.js'
import { algorithmOf, type Digest, Digester } from '../content/digest.js'
import { digestMismatch } from '../content/verify.js'
import { RegctlError } from '../errors.js'
import type { FileSet } from '../tar/file-set.js'
import { brokenArchive } from './docker-archive-error.js'
import type { ImageConfig, ManifestJsonImage } from './manifest-json.js'

/** The config or a layer of a docker-archive, once it was looked at. */
export interface ArchivePart {
  /** `config`, `layer 3`. */
  what: string
  /** The image ID, or the layer's diffID; undefined when that isn't known. */
  digest: Digest | undefined
  /** Size in bytes of its file; undefined when there is none. */
  size: number | undefined
  /** What is wrong with it; absent when nothing is. */
  problem?: RegctlError
}

/**
 * Looks at every layer of an image: its file is there and, with `full`, holds what the config's diffID says. A file that
 * several layers share is read once.
 *
 * @throws what is no matter of the image: InterruptedError
 */
export async function* checkLayers(
  files: FileSet,
  image: ManifestJsonImage,
  { diffIDs }: ImageConfig,
  options: { full: boolean; signal: AbortSignal },
): AsyncGenerator<ArchivePart> {
  const count = Math.max(image.layers.length, diffIDs.length)
  if (image.layers.length !== diffIDs.length) {
    const message = `${files.label} has ${image.layers.length} layers, but the config has ${diffIDs.length} diffIDs`
    const problem = brokenArchive('layer-count', message)
    yield { what: 'config', digest: undefined, size: undefined, problem }
  }
  const checked = new Set<string>()
  for (let position = 0; position < count; position++) {
    const [file, diffID] = [image.layers[position], diffIDs[position]]
    if (file === undefined || checked.has(`${file} ${diffID}`)) continue
    checked.add(`${file} ${diffID}`)
    yield await checkLayer(files, file, diffID, `layer ${position + 1}`, options)
  }
}

async function checkLayer(
  files: FileSet,
  file: string,
  diffID: Digest | undefined,
  what: string,
  options: { full: boolean; signal: AbortSignal },
): Promise<ArchivePart> {
  let size: number | undefined
  try {
    const entry = await files.stat(file)
    if (entry === undefined) throw brokenArchive('missing-layer', `layer ${file} is not in ${files.label}`)
    size = entry.size
    if (options.full && diffID !== undefined) {
      const found = await hashLayer(files, entry.name, algorithmOf(diffID), options.signal)
      if (found !== diffID) throw digestMismatch(`layer ${file} of ${files.label}`, diffID, found)
    }
    return { what, digest: diffID, size }
  } catch (error) {
    if (!(error instanceof RegctlError) || error.kind === 'interrupted') throw error
    return { what, digest: diffID, size, problem: error }
  }
}

async function hashLayer(
  files: FileSet,
  name: string,
  algorithm: 'sha256' | 'sha512',
  signal: AbortSignal,
): Promise<Digest> {
  const plain = new Digester(algorithm)
  const sink = new Writable({
    write(chunk: Buffer, _encoding, done) {
      plain.update(chunk)
      done()
    },
  })
  const compression = sniffCompression(await files.read(name, 0, SNIFF_LENGTH))
  const what = `layer ${name} of ${files.label}`
  await pipeline(decompress(await files.open(name), compression, { what }), sink, { signal })
  return plain.digest()
}
