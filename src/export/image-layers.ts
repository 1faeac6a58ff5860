import { type Readable, Transform } from 'node:stream'
import { peek } from '../archive/peek.js'
import { decompress } from '../compression/decompress.js'
import { SNIFF_LENGTH, sniffCompression } from '../compression/sniff.js'
import type { Platform } from '../content/descriptor.js'
import { algorithmOf, type Digest, Digester, isDigest, shortDigest } from '../content/digest.js'
import { joinStreams } from '../content/join-streams.js'
import { announcedCompression } from '../content/layer-types.js'
import {
  badShape,
  type ImageManifest,
  isObject,
  parseJsonObject,
  parseManifest,
} from '../content/manifest.js'
import { isForeignLayerType, isImageConfigType } from '../content/media-types.js'
import { printable } from '../content/printable.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, Source } from '../content/store.js'
import { digestMismatch, verifyStream } from '../content/verify.js'
import { badLayer, ExportError } from './export-error.js'

/** An image, for reading what is in its layers. */
export interface LayeredImage {
  /** What the config says that it runs on; undefined when it doesn't. */
  platform: Platform | undefined
  /** From the base up. */
  layers: readonly ImageLayer[]
}

/** A layer of an image. */
export interface ImageLayer {
  /** For messages: `layer sha256:… of image.tar`. */
  what: string
  /** Two with the same are the same layer. */
  diffID: Digest
  /**
   * Opens the plain tar. Whoever reads it to its end without an error has what the image's config names. The caller
   * consumes or destroys it.
   */
  open(): Promise<Readable>
}

/**
 * Finds the layers of an image, by its manifest or by what its file has.
 *
 * @param root what to ask the source for: a single image, not an index
 * @throws ExportError `not-an-image` for an artifact, `layer-count`; RegctlError when something is not there or is broken
 */
export async function imageLayers(source: Source, root: string, context: Context): Promise<LayeredImage> {
  if (source.openContents !== undefined) {
    const { config, layers } = await source.openContents(context)
    return {
      platform: platformOf(parseJsonObject(config, `config of ${source.label}`)),
      layers: layers.map(({ diffID, open }) => {
        const what = `layer ${shortDigest(diffID)} of ${source.label}`
        return { what, diffID, open: async () => await plain(await open(), diffID, what, context) }
      }),
    }
  }
  const manifest = await readImage(source, root, context)
  const config = await readConfig(source, manifest, context)
  const { diffIDs } = config
  if (diffIDs.length !== manifest.layers.length) {
    const counts = `${manifest.layers.length} layers, but its config has ${diffIDs.length} diffIDs`
    throw badLayer('layer-count', `the image in ${source.label} has ${counts}`)
  }
  return {
    platform: config.platform,
    layers: manifest.layers.map((layer, position) => {
      const what = `layer ${shortDigest(layer.digest)} of ${source.label}`
      const diffID = diffIDs[position] ?? layer.digest
      const open = async () => {
        const stored = verifyStream(await source.openBlob(layer, context), layer, what)
        return await plain(stored, diffID, what, context)
      }
      return { what, diffID, open }
    }),
  }
}

async function readImage(source: Source, root: string, context: Context): Promise<ImageManifest> {
  const { bytes, descriptor } = await source.getManifest(root, context)
  const what = `manifest ${descriptor.digest} of ${source.label}`
  const manifest = parseManifest(bytes, descriptor.mediaType, what)
  if (manifest.kind === 'index') {
    throw notAnImage(`${source.label} has an index there, not a single image`, 'Choose one with `--platform`')
  }
  const type = manifest.config.mediaType
  const isImage =
    isImageConfigType(type) ||
    manifest.layers.some(
      ({ mediaType }) => announcedCompression(mediaType) !== undefined || isForeignLayerType(mediaType),
    )
  if (!isImage) {
    const kind = printable(manifest.artifactType ?? type)
    throw notAnImage(
      `${source.label} holds an artifact (${kind}), which has no file system`,
      'Read its blobs with `regctl blob`',
    )
  }
  return manifest
}

function notAnImage(message: string, hint: string): ExportError {
  return new ExportError(message, { kind: 'usage', code: 'not-an-image', hint })
}

async function readConfig(source: Source, { config }: ImageManifest, context: Context) {
  const what = `config ${config.digest} of ${source.label}`
  const document = parseJsonObject(await readConfigBlob(source, config, context), what)
  const rootfs = isObject(document.rootfs) ? document.rootfs : {}
  const diffIDs: unknown = rootfs.diff_ids ?? []
  if (!Array.isArray(diffIDs) || !diffIDs.every(item => typeof item === 'string' && isDigest(item))) {
    throw badShape(what, 'has "diff_ids" that are no digests')
  }
  return { diffIDs: diffIDs as Digest[], platform: platformOf(document) }
}

function platformOf({ os, architecture, variant }: Record<string, unknown>): Platform | undefined {
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '') return undefined
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
}

/** Uncompresses by what the bytes are, not by their type (rule R173), and checks the diffID at the end (rule R174). */
async function plain(stored: Readable, diffID: Digest, what: string, context: Context): Promise<Readable> {
  const { signal } = context
  const abort = () =>
    stored.destroy(signal.reason instanceof Error ? signal.reason : new Error('interrupted'))
  signal.addEventListener('abort', abort, { once: true })
  stored.once('close', () => signal.removeEventListener('abort', abort))
  if (signal.aborted) abort()
  try {
    const { head, whole } = await peek(stored, SNIFF_LENGTH)
    const digester = new Digester(algorithmOf(diffID))
    const check = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        digester.update(chunk)
        done(null, chunk)
      },
      flush(done) {
        const found = digester.digest()
        done(found === diffID ? null : digestMismatch(`${what}, uncompressed,`, diffID, found))
      },
    })
    return joinStreams(decompress(whole, sniffCompression(head), { what }), check)
  } catch (error) {
    stored.destroy()
    throw error
  }
}
