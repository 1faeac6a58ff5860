import { createHash } from 'node:crypto'
import { readdir, rm, stat, utimes } from 'node:fs/promises'
import { join } from 'node:path'
import { type Digest, isDigest } from '../content/digest.js'
import { isObject } from '../content/manifest.js'
import { openRegular } from '../files/atomic-file.js'
import { replaceCacheFile } from '../files/cache-file.js'
import { makeCacheFolder } from '../files/cache-folder.js'

/** What a layer becomes is known by these. */
export interface LayerKey {
  diffID: Digest
  /** What compresses it; see `compressorVersion`. */
  compressor: string
}

/** What a layer became when it was compressed. */
export interface KnownLayer {
  digest: Digest
  /** In bytes. */
  size: number
}

/** An entry has some 400 bytes. */
const ENTRY_LIMIT_BYTES = 4096
/** The most entries that are kept: those that were used last. */
const MOST_ENTRIES = 2000
/** Entries that nobody used for so long are removed. */
const UNUSED_MS = 180 * 24 * 60 * 60 * 1000
/** What a writer who was killed has left. */
const ABANDONED_MS = 60 * 60 * 1000
const ENTRY_NAME = /^[0-9a-f]{64}\.json$/

/**
 * Remembers from one run to another what layers are once compressed, so that one that has not changed needs no
 * compressing to be known: a small file for each layer and compressor.
 *
 * Nothing depends on it. What can't be read, is damaged or has another form counts as not known; what can't be written is
 * not remembered; several processes can use one folder at once. An entry is believed for naming a blob, never for
 * sending one: what is compressed later has to have the digest that was named.
 */
export class LayerCache {
  readonly #folder: string
  #pruned: Promise<void> | undefined

  /** @param folder for this alone; it is made with the first entry */
  constructor(folder: string) {
    this.#folder = folder
  }

  /** What the layer was when it was compressed last, or undefined. */
  async get(key: LayerKey): Promise<KnownLayer | undefined> {
    const path = this.#pathOf(key)
    try {
      const known = parseEntry(await readSmallFile(path), key)
      const now = new Date()
      if (known !== undefined) await utimes(path, now, now)
      return known
    } catch {
      return undefined
    }
  }

  /** Remembers a layer that was compressed, and whose content was found to have the diffID. */
  async put(key: LayerKey, known: KnownLayer): Promise<void> {
    try {
      await makeCacheFolder(this.#folder)
      this.#pruned ??= this.#prune()
      await this.#pruned
      const { digest, size } = known
      const entry = { ...key, digest, size, check: checksum(key, known) }
      // What a crash leaves of it fails its check.
      await replaceCacheFile(this.#pathOf(key), JSON.stringify(entry))
    } catch {
      // What can't be remembered is compressed again.
    }
  }

  /** Forgets a layer. */
  async remove(key: LayerKey): Promise<void> {
    await rm(this.#pathOf(key), { force: true }).catch(() => {})
  }

  #pathOf({ diffID, compressor }: LayerKey): string {
    return join(this.#folder, `${sha256(`${diffID}\n${compressor}`)}.json`)
  }

  async #prune(): Promise<void> {
    const entries: { path: string; usedMs: number }[] = []
    for (const name of await readdir(this.#folder)) {
      const path = join(this.#folder, name)
      const usedMs = (await stat(path).catch(() => undefined))?.mtimeMs
      if (usedMs === undefined) continue
      const isEntry = ENTRY_NAME.test(name)
      if (Date.now() - usedMs > (isEntry ? UNUSED_MS : ABANDONED_MS)) await rm(path, { force: true })
      else if (isEntry) entries.push({ path, usedMs })
    }
    const tooMany = Math.max(0, entries.length - MOST_ENTRIES)
    entries.sort((one, other) => one.usedMs - other.usedMs)
    for (const { path } of entries.slice(0, tooMany)) await rm(path, { force: true })
  }
}

async function readSmallFile(path: string): Promise<string> {
  const file = await openRegular(path)
  if (file === undefined) return ''
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(ENTRY_LIMIT_BYTES), 0, ENTRY_LIMIT_BYTES, 0)
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

function parseEntry(text: string, key: LayerKey): KnownLayer | undefined {
  if (text === '') return undefined
  const entry: unknown = JSON.parse(text)
  if (!isObject(entry)) return undefined
  const { digest, size, check } = entry
  if (typeof digest !== 'string' || !isDigest(digest)) return undefined
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return undefined
  const known = { digest, size }
  return check === checksum(key, known) ? known : undefined
}

/** Tells an entry from one that was damaged, or renamed. */
function checksum({ diffID, compressor }: LayerKey, { digest, size }: KnownLayer): string {
  return sha256(`${diffID}\n${compressor}\n${digest}\n${size}`)
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
