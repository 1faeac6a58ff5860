// The ways into the library that input of others takes.
import { createReadStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { parseRegistriesConf } from '../../dist/config/registries-conf.js'
import { parsePlatform } from '../../dist/content/platform.js'
import { parseDockerConfig } from '../../dist/credentials/docker-config.js'
import { HttpError } from '../../dist/http/http-error.js'
import { ResponseParser } from '../../dist/http/response-parser.js'
import {
  copy,
  createContext,
  exportImage,
  ImageVerifier,
  MemoryStore,
  openImageFile,
  parseJson,
  parseLocator,
  parseManifest,
  parseReference,
  RegctlError,
} from '../../dist/index.js'
import { parseIndexJson } from '../../dist/layout/index-json.js'
import { chooseChallenge, parseChallenges } from '../../dist/registry/challenge.js'
import { readErrorBody } from '../../dist/registry/error-body.js'
import { nextLink } from '../../dist/registry/link.js'
import { retryAfterMs } from '../../dist/registry/retry.js'
import { resolveServerUrl, UnsafeUrlError } from '../../dist/registry/urls.js'
import { parseWarning } from '../../dist/registry/warnings.js'
import { parseContentRange, parseRange } from '../../dist/server/range.js'
import { mutate } from './mutate.js'
import { withRightDigests } from './rehash.js'

/** How many images of one file are looked at. */
const MOST_IMAGES = 3

/** Breaks an image, and does with it what can be done with one: verify, copy, export. */
export async function feedImage({ images }, random, path) {
  if (images.length === 0) return
  // Decompressors have the most to get wrong, and few of the files need them.
  const compressed = images.filter(({ name }) => /\.(?:gz|tgz|xz|bz2|zst)$/.test(name))
  const { files } = random.pick(compressed.length > 0 && random.below(4) === 0 ? compressed : images)
  const broken = breakFiles(files, random)
  for (const [name, bytes] of broken) {
    const place = name === '' ? path : join(path, name)
    await mkdir(dirname(place), { recursive: true })
    await writeFile(place, bytes)
  }
  const isPiped = broken.length === 1 && broken[0][0] === '' && random.below(3) === 0
  await unlessRefused(() => useImage(isPiped ? '-' : path, path, random.below(2) === 0))
}

/** One of the files gets mistakes. Of a layout, the digests are put right half the time, so that more of it is read. */
function breakFiles(files, random) {
  const at = random.below(files.length)
  const broken = files.map(([name, bytes], position) => [
    name,
    position === at ? mutate(bytes, random) : bytes,
  ])
  return random.below(2) === 0 ? broken : withRightDigests(broken, files[at][1], broken[at])
}

async function useImage(place, path, isWhole) {
  const context = createContext()
  const locator = place === '-' ? { kind: 'stdio' } : { kind: 'file', path }
  const file = await openImageFile(locator, context, {
    stdin: place === '-' ? createReadStream(path) : process.stdin,
  })
  // Node 20 has no `await using` for scripts that nobody compiles.
  try {
    for (const { source, root } of file.images.slice(0, MOST_IMAGES)) {
      const options = { full: true, tell: () => {} }
      await unlessRefused(() => new ImageVerifier(source, context, options).verify(root))
      if (isWhole)
        await unlessRefused(() =>
          copy(source, root, [{ sink: new MemoryStore('sink'), tags: ['1'] }], context),
        )
      await unlessRefused(() =>
        exportImage(
          { source, root },
          { output: new Writable({ write: (_chunk, _encoding, done) => done() }) },
          context,
        ),
      )
    }
  } finally {
    await file[Symbol.asyncDispose]()
  }
}

/** Breaks a text of settings or of a header, and reads it. */
export async function feedText({ texts }, random, path) {
  const [kind, original] = random.pick(texts)
  const bytes = mutate(Buffer.from(original), random)
  const text = `${bytes}`
  await writeFile(path, bytes)
  for (const read of READERS[kind] ?? []) await unlessRefused(() => read(text, bytes))
}

const endpoint = { registry: 'r', base: new URL('https://r.example'), insecure: false }
const policy = { isInsecure: () => false, allowInternal: false }
const READERS = {
  reference: [text => parseReference(text)],
  locator: [text => parseLocator(text, 'file')],
  platform: [text => parsePlatform(text)],
  header: [
    text => chooseChallenge(parseChallenges([text])),
    text => nextLink([text]),
    text => parseWarning(text),
    text => retryAfterMs(text, 0),
  ],
  url: ['Location', 'realm', 'urls'].map(
    purpose => text => resolveServerUrl(text, endpoint.base, endpoint, purpose, policy),
  ),
  answer: [(_text, bytes) => readAnswer(bytes)],
  range: [text => parseRange(text, 150), text => parseContentRange(text)],
  settings: [(_text, bytes) => parseDockerConfig(bytes, 'it')],
  toml: [text => parseRegistriesConf(text, 'it')],
  error: [(_text, bytes) => readErrorBody(bytes)],
  json: [
    (_text, bytes) => JSON.stringify(parseJson(bytes, 'it')),
    (_text, bytes) => parseManifest(bytes, undefined, 'it'),
    (_text, bytes) => parseIndexJson(bytes, 'it'),
  ],
}

/** Reads an answer in two pieces, as a socket might give it. */
function readAnswer(bytes) {
  const parser = new ResponseParser('GET', { head: () => {}, data: () => {}, end: () => {} })
  const half = bytes.length >> 1
  for (const piece of [bytes.subarray(0, half), bytes.subarray(half)])
    if (!parser.isComplete) parser.add(piece)
  if (!parser.isComplete) parser.end()
}

/** Errors that the library means to throw are what is wanted. */
async function unlessRefused(use) {
  try {
    await use()
  } catch (error) {
    const isMeant = [RegctlError, UnsafeUrlError, HttpError].some(type => error instanceof type)
    if (!isMeant) throw error
    if (/[\x00-\x1f\x7f]/.test(error.message))
      throw new Error(`an error with control characters: ${JSON.stringify(error.message)}`)
  }
}
