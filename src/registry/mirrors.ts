import type { Descriptor } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { parseManifest } from '../content/manifest.js'
import type { Context, RawManifest } from '../content/store.js'
import { messageOf, RegctlError } from '../errors.js'
import type { RepositoryAccess } from './access.js'
import type { BlobDoubts } from './blob-doubts.js'
import { readBlob } from './blob-download.js'
import { statBlob } from './blobs.js'
import { getManifest, statManifest } from './manifests.js'
import { bodyFrom, type ResponseBody } from './response-body.js'

/** A mirror of a repository. */
export interface MirrorAccess extends RepositoryAccess {
  readonly reads: 'all' | 'digest-only' | 'tag-only'
}

/** Mirrors that could not be reached: they are not asked again in this run, by any repository. */
export type DeadMirrors = Set<string>

/**
 * Reads of a repository that has mirrors: these are asked in their order, and the registry itself when none of them helps
 * (rules R16, R156). Whatever goes wrong at a mirror, but for an interruption, leads on to the next one.
 *
 * What a manifest names is asked for where that manifest came from: a pull-through cache has the parts of what was
 * pulled through it, and perhaps nothing else (rule R30). Digests are checked by the same code as the registry's own
 * (rule R157), and each mirror gets the credentials for its own host alone.
 */
export class MirroredReads {
  readonly #places: readonly (RepositoryAccess | MirrorAccess)[]
  readonly #dead: DeadMirrors
  readonly #doubts: BlobDoubts
  /** Of what manifests named: the position of the place that they came from. */
  readonly #servedBy = new Map<Digest, number>()
  /** Of blobs: the position of the place where they were last read from. */
  readonly #readFrom = new Map<Digest, number>()

  /** @param doubts about blobs of `origin` */
  constructor(
    origin: RepositoryAccess,
    mirrors: readonly MirrorAccess[],
    dead: DeadMirrors,
    doubts: BlobDoubts,
  ) {
    this.#places = [...mirrors, origin]
    this.#dead = dead
    this.#doubts = doubts
  }

  async getManifest(tagOrDigest: string, context: Context): Promise<RawManifest> {
    return await this.#ask(tagOrDigest, context, async (place, position) => {
      const manifest = await getManifest(place, tagOrDigest, context)
      this.#remember(manifest, position)
      return manifest
    })
  }

  async statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined> {
    return await this.#ask(tagOrDigest, context, async (place, position) => {
      const found = await statManifest(place, tagOrDigest, context)
      if (found !== undefined) this.#servedBy.set(found.digest, position)
      return found
    })
  }

  async statBlob(digest: Digest, context: Context): Promise<number | undefined> {
    return await this.#ask(digest, context, place => statBlob(place, digest, context))
  }

  /** When a mirror breaks off and doesn't come back, the next place goes on where it stopped. */
  async readBlob(descriptor: Descriptor, context: Context, from: number): Promise<ResponseBody> {
    const { digest } = descriptor
    const opened = await this.#ask(digest, context, async (place, position) => {
      return { position, body: await this.#open(place, position, descriptor, context, from) }
    })
    this.#readFrom.set(digest, opened.position)
    if (opened === undefined || this.#isOrigin(opened.position)) return opened.body
    const current = { body: opened.body, isClosed: false }
    const chunks = this.#readOn(opened.position, current, descriptor, context, from)
    return bodyFrom(chunks, error => {
      current.isClosed = true
      current.body.destroy(error)
    })
  }

  async *#readOn(
    position: number,
    current: { body: ResponseBody; isClosed: boolean },
    descriptor: Descriptor,
    context: Context,
    from: number,
  ): AsyncGenerator<Buffer> {
    let offset = from
    for (let at = position; ; ) {
      const chunks = current.body[Symbol.asyncIterator]()
      try {
        for (;;) {
          const next = await chunks.next()
          if (next.done === true) return
          offset += next.value.length
          yield next.value
        }
      } catch (error) {
        if (this.#isOrigin(at) || context.signal.aborted || current.isClosed) throw error
        this.#report(at, error, context)
        at++
        const place = this.#places[at]
        if (place === undefined) throw error
        current.body = await this.#open(place, at, descriptor, context, offset)
      }
    }
  }

  async #open(
    place: RepositoryAccess,
    position: number,
    descriptor: Descriptor,
    context: Context,
    from: number,
  ): Promise<ResponseBody> {
    const doubts = this.#isOrigin(position) ? this.#doubts : undefined
    return await readBlob(place, descriptor, context, from, doubts)
  }

  /** Whose bytes were wrong is not asked for that blob again, and the next place is (rules R157, R247). */
  rejectBlob(digest: Digest, context: Context): boolean {
    const position = this.#readFrom.get(digest)
    const place = position === undefined ? undefined : this.#places[position]
    if (position === undefined || place === undefined || this.#isOrigin(position))
      return this.#doubts.reject(digest)
    this.#servedBy.set(digest, position + 1)
    const message = `the mirror ${place.registry} has other bytes than it should for blob ${digest}: they come from the next place`
    context.emit({ type: 'warning', message })
    return true
  }

  /** Asks one place after the other. Only what the registry itself says counts as an error, or as an absence. */
  async #ask<T>(
    tagOrDigest: string,
    context: Context,
    ask: (place: RepositoryAccess, position: number) => Promise<T>,
  ): Promise<T> {
    const first = isDigest(tagOrDigest) ? (this.#servedBy.get(tagOrDigest) ?? 0) : 0
    for (let position = first; ; position++) {
      const place = this.#places[position]
      if (place === undefined) throw new Error('unreachable: the registry itself is the last place')
      if (this.#isOrigin(position)) return await ask(place, position)
      if (this.#dead.has(place.registry) || !isFor(place, tagOrDigest, first === position && first > 0))
        continue
      try {
        const found = await ask(place, position)
        if (found !== undefined) return found
      } catch (error) {
        if (context.signal.aborted) throw error
        this.#report(position, error, context)
      }
    }
  }

  #isOrigin(position: number): boolean {
    return position === this.#places.length - 1
  }

  /** That a mirror lacks something is its right; all else is told, and once for a mirror that can't be reached. */
  #report(position: number, error: unknown, context: Context): void {
    const place = this.#places[position]
    if (place === undefined || (error instanceof RegctlError && error.kind === 'not-found')) return
    if (error instanceof RegctlError && error.kind === 'network') this.#dead.add(place.registry)
    context.emit({
      type: 'warning',
      message: `the mirror ${place.registry} is left out: ${messageOf(error)}`,
    })
  }

  #remember({ bytes, descriptor }: RawManifest, position: number): void {
    const manifest = parseManifest(bytes, descriptor.mediaType, `manifest ${descriptor.digest}`)
    const parts = manifest.kind === 'index' ? manifest.manifests : [manifest.config, ...manifest.layers]
    for (const part of [descriptor, ...parts]) this.#servedBy.set(part.digest, position)
  }
}

/** A mirror for digests alone is not asked for a tag. What it gave already, it is asked for the parts of. */
function isFor(place: RepositoryAccess | MirrorAccess, tagOrDigest: string, gaveBefore: boolean): boolean {
  if (!('reads' in place) || place.reads === 'all' || gaveBefore) return true
  return isDigest(tagOrDigest) === (place.reads === 'digest-only')
}
