import { Flags } from '@oclif/core'
import {
  type Digest,
  type LayerCompression,
  messageOf,
  type Platform,
  parseDigest,
  parsePlatform,
  printable,
  RegctlError,
} from '../index.js'
import { byteSizeFlag } from './byte-size.js'

/** `--platform`, as it is parsed. */
export const platformFlag = Flags.custom<Platform>({
  helpValue: 'OS/ARCH[/VARIANT]',
  parse: async text => parsePlatform(text),
})

/** Flags of the commands that move images from one place to another. */
export const transferFlags = {
  jobs: Flags.integer({
    min: 1,
    max: 64,
    helpValue: 'N',
    description: 'How many large blobs travel at once (default: 4)',
  }),
}

/** Flags of the commands that send images to registries. */
export const uploadFlags = {
  'chunk-size': byteSizeFlag({
    min: 64 * 1024,
    description: 'Send blobs in chunks of this size; else in one piece, or as much as gets through',
  }),
}

/** Flags of the commands that read local files. */
export const fileFlags = {
  image: Flags.string({
    helpValue: "NAME|@DIGEST|'#N'",
    description: 'Which image of a file that holds several',
  }),
}

/** Flags of the commands that compress layers. */
export const cacheFlags = {
  'no-cache': Flags.boolean({
    description: 'Use nothing that earlier runs have remembered, and read everything again',
  }),
}

/** `--compression`, as it is parsed: `auto`, `keep`, `gzip[:LEVEL]` or `zstd[:LEVEL]`. */
export const compressionFlag = Flags.custom<LayerCompression>({
  helpValue: 'auto|keep|gzip|zstd[:LEVEL]',
  parse: async text => parseCompression(text),
})

/**
 * Reads a digest that was given on the command line.
 *
 * @param name of the flag or argument, for the message
 * @throws RegctlError of kind `usage`, code `bad-digest`
 */
export function parseDigestOption(text: string, name: string): Digest {
  try {
    return parseDigest(text)
  } catch (cause) {
    throw new RegctlError(`${name}: ${messageOf(cause)}`, { kind: 'usage', code: 'bad-digest', cause })
  }
}

const HIGHEST_LEVEL = { gzip: 9, zstd: 19 } as const

/** @throws RegctlError of kind `usage`, code `bad-compression` */
export function parseCompression(text: string): LayerCompression {
  const match = /^(auto|keep|gzip|zstd)(?::([0-9]{1,2}))?$/.exec(text)
  const algorithm = match?.[1] as Exclude<LayerCompression['algorithm'], 'none'> | undefined
  const level = match?.[2] === undefined ? undefined : Number(match[2])
  const isWrong =
    algorithm === undefined ||
    (level !== undefined &&
      (algorithm === 'auto' || algorithm === 'keep' || level < 1 || level > HIGHEST_LEVEL[algorithm]))
  if (isWrong) {
    throw new RegctlError(`"${printable(text)}" is not a compression`, {
      kind: 'usage',
      code: 'bad-compression',
      hint: 'Choose auto, keep, gzip, gzip:1 to gzip:9, zstd, or zstd:1 to zstd:19',
    })
  }
  return { algorithm, ...(level !== undefined && { level }) }
}
