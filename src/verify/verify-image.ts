import type { Descriptor } from '../content/descriptor.js'
import { algorithmOf, type Digest } from '../content/digest.js'
import { announcedCompression } from '../content/layer-types.js'
import { type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { isForeignLayerType, isImageConfigType } from '../content/media-types.js'
import { formatPlatform } from '../content/platform.js'
import { readConfigBlob } from '../content/read-config-blob.js'
import type { Context, RawManifest, Source } from '../content/store.js'
import { digestMismatch, verifyBytes } from '../content/verify.js'
import type { Root } from '../copy/derived-source.js'
import { DockerArchiveSource } from '../docker-archive/docker-archive-source.js'
import { parseImageConfig } from '../docker-archive/manifest-json.js'
import { RegctlError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { flattenReferrers } from '../lookup/referrer-selection.js'
import { readReferrerTree } from '../lookup/referrer-tree.js'
import { type BlobCheck, checkContent, checkPresence, isAboutContent, isMissing } from './verify-blob.js'

/** How deep indexes may be nested, and how many manifests are looked at (rule R232). */
const MAXIMUM_DEPTH = 8
const MAXIMUM_MANIFESTS = 10_000
/** How many questions are asked at once; blobs that are read whole are fewer. */
const QUESTIONS_AT_ONCE = 16
const READS_AT_ONCE = 4

/** Something that a verification found, in the order in which it was found. */
export interface Finding {
  /**
   * `problem`: missing or wrong. `note`: it could not be told, or may be so: a foreign layer (rule R172), a blob whose
   * size a registry doesn't say (rule R31), an index's child that is allowed to be absent. `checked`: a blob was read.
   */
  type: 'problem' | 'note' | 'checked'
  /** For programs: `missing-blob`, `digest-mismatch`. */
  code: string
  /** What it is in the image: `layer 3 of linux/arm64`. */
  what: string
  digest?: Digest
  /** In bytes, as it should be. */
  size?: number
  message: string
}

/** How much is verified. */
export interface VerifyOptions {
  /** Read and hash every blob, and compare the uncompressed layers with the config's diffIDs. Default: false. */
  full?: boolean
  /** Children of an index may be absent, as in a copy of some platforms. Default: false. */
  sparse?: boolean
  /** How many blobs are read at once. Default: 4. */
  jobs?: number | undefined
  /** Takes each finding. Must not throw. */
  tell(finding: Finding): void
}

/** How much was looked at. */
export interface Verified {
  manifests: number
  blobs: number
  /** Sizes of the manifests and blobs, in bytes, each counted once. */
  bytes: number
  problems: number
  /** Blobs of which it could not be told whether they are right. */
  unknown: number
}

/**
 * Verifies images of one source: that everything their manifests name is there with the right size, and with `full`
 * the right bytes. What several images share is looked at once.
 *
 * @example
 * const verifier = new ImageVerifier(source, context, { tell: finding => console.log(finding.message) })
 * await verifier.verify('1.0')
 * verifier.verified.problems // 0
 */
export class ImageVerifier {
  readonly verified: Verified = { manifests: 0, blobs: 0, bytes: 0, problems: 0, unknown: 0 }
  readonly #source: Source
  readonly #context: Context
  readonly #options: VerifyOptions
  readonly #questions = new WeightedLimit({ count: QUESTIONS_AT_ONCE })
  readonly #reads: WeightedLimit
  readonly #manifests = new Set<Digest>()
  readonly #blobs = new Map<string, Promise<BlobCheck>>()

  constructor(source: Source, context: Context, options: VerifyOptions) {
    this.#source = source
    this.#context = context
    this.#options = options
    this.#reads = new WeightedLimit({ count: options.jobs ?? READS_AT_ONCE })
  }

  /**
   * Verifies one image or index with all its children.
   *
   * @param root tag or digest, as the source knows it
   * @param name for findings: `linux/amd64`, `acme/app:1.0`; nothing where there is just one image
   * @returns its descriptor; undefined for a docker-archive, whose manifest is only made by a push
   * @throws RegctlError when the root isn't there or is broken, and what says nothing of the image: `network`, `denied`
   */
  async verify(root: string, name = ''): Promise<Descriptor | undefined> {
    if (this.#source instanceof DockerArchiveSource) {
      await this.#verifyArchive(this.#source, name)
      return undefined
    }
    const raw = await this.#source.getManifest(root, this.#context)
    await this.#visit(raw, name, 0)
    return raw.descriptor
  }

  /** As {@link verify}, for one of several images: that it isn't there or is broken is a finding too. */
  async verifyOneOf(root: string, name: string): Promise<void> {
    try {
      await this.verify(root, name)
    } catch (error) {
      this.#foundManifest(error, {}, name)
    }
  }

  /** Verifies what refers to a root and to what is below it; the root itself was verified before. */
  async verifyReferrers(root: Root): Promise<void> {
    const tree = await readReferrerTree(root, this.#context)
    const referrers = flattenReferrers(tree)
    await Promise.all(referrers.map(({ node }) => this.#child(node.descriptor, node.name, 0)))
  }

  async #visit(raw: RawManifest, name: string, depth: number): Promise<void> {
    const { digest, mediaType, size } = raw.descriptor
    if (this.#manifests.has(digest)) return
    this.#manifests.add(digest)
    if (this.#manifests.size > MAXIMUM_MANIFESTS || depth > MAXIMUM_DEPTH) throw this.#tooMuch()
    this.verified.manifests++
    this.verified.bytes += size
    let manifest: ImageManifest | Index
    try {
      manifest = parseManifest(raw.bytes, mediaType, `manifest ${digest} of ${this.#source.label}`)
    } catch (error) {
      return this.#found(error, raw.descriptor, name === '' ? 'manifest' : name)
    }
    if (manifest.kind === 'image') return await this.#image(manifest, name)
    const children = manifest.manifests.map(child =>
      this.#child(child, nameOf(child, name), depth + 1, this.#options.sparse === true),
    )
    await Promise.all(children)
  }

  async #child(child: Descriptor, name: string, depth: number, mayBeAbsent = false): Promise<void> {
    if (this.#manifests.has(child.digest)) return
    try {
      const raw = await this.#questions.run(1, () => this.#source.getManifest(child.digest, this.#context))
      verifyBytes(raw.bytes, child, `manifest ${child.digest} of ${this.#source.label}`)
      await this.#visit({ bytes: raw.bytes, descriptor: child }, name, depth)
    } catch (error) {
      if (!isAboutContent(error) || error.code === 'too-deep') throw error
      if (mayBeAbsent && isMissing(error)) return this.#note('absent-child', child, name, 'is not there')
      this.#foundManifest(error, child, name)
    }
  }

  async #image(manifest: ImageManifest, name: string): Promise<void> {
    const of = name === '' ? '' : ` of ${name}`
    const diffIDs = await this.#config(manifest.config, `config${of}`)
    const { layers } = manifest
    if (diffIDs !== undefined && diffIDs.length !== layers.length && layers.every(isFileSystem)) {
      const message = `config ${manifest.config.digest} has ${diffIDs.length} diffIDs for ${layers.length} layers`
      this.#tell({ type: 'problem', code: 'layer-count', what: `config${of}`, message })
    }
    await Promise.all(
      layers.map(async (layer, position) => {
        const what = `layer ${position + 1}${of}`
        const diffID = diffIDs?.length === layers.length ? diffIDs[position] : undefined
        const check = await this.#blob(layer, what, isFileSystem(layer) ? diffID : undefined)
        if (check.diffID === undefined || diffID === undefined || check.diffID === diffID) return
        const subject = `blob ${layer.digest} of ${this.#source.label}, uncompressed,`
        this.#found(digestMismatch(subject, diffID, check.diffID), layer, what)
      }),
    )
  }

  /** The diffIDs, when everything is read and the config is an image's: an artifact's of that type may have none. */
  async #config(config: Descriptor, what: string): Promise<readonly Digest[] | undefined> {
    const check = await this.#blob(config, what)
    const isImage = isImageConfigType(config.mediaType)
    if (check.problem !== undefined || this.#options.full !== true || !isImage) return undefined
    try {
      const label = `config ${config.digest} of ${this.#source.label}`
      const bytes = await readConfigBlob(this.#source, config, this.#context)
      return parseImageConfig(bytes, label).diffIDs
    } catch (error) {
      if (isAboutContent(error) && error.code === 'bad-shape') {
        this.#note('no-diff-ids', config, what, 'names no diffIDs to compare the layers with')
      } else this.#found(error, config, what)
      return undefined
    }
  }

  /** Looks at a blob once, and tells of it where it is met first. */
  async #blob(descriptor: Descriptor, what: string, diffID?: Digest): Promise<BlobCheck> {
    const key = `${descriptor.digest} ${descriptor.size}`
    const known = this.#blobs.get(key)
    if (known !== undefined) return await known
    const { full } = this.#options
    const checking =
      full === true
        ? this.#reads.run(1, () =>
            checkContent(this.#source, descriptor, this.#context, diffID && algorithmOf(diffID)),
          )
        : this.#questions.run(1, () => checkPresence(this.#source, descriptor, this.#context))
    this.#blobs.set(key, checking)
    const check = await checking
    this.verified.blobs++
    this.verified.bytes += descriptor.size
    if (check.isUnknown === true) {
      this.verified.unknown++
      this.#note('size-unknown', descriptor, what, "is there, but the registry doesn't tell its size")
    } else if (check.problem === undefined) this.#checked(descriptor, what)
    else if (isForeignLayerType(descriptor.mediaType) && isMissing(check.problem)) {
      this.#note(
        'foreign-layer',
        descriptor,
        what,
        'is not there, and need not be: it may not be distributed',
      )
    } else this.#found(check.problem, descriptor, what)
    return check
  }

  /** Its layers are plain tars, which are known by their diffIDs. */
  async #verifyArchive(source: DockerArchiveSource, name: string): Promise<void> {
    const of = name === '' ? '' : ` of ${name}`
    try {
      const { bytes } = await source.imageConfig()
      this.verified.blobs++
      this.verified.bytes += bytes.length
      const { signal } = this.#context
      for await (const part of source.checkLayers({ full: this.#options.full === true, signal })) {
        const { digest, size, problem } = part
        if (digest !== undefined) this.verified.blobs++
        this.verified.bytes += size ?? 0
        const place = { ...(digest !== undefined && { digest }), ...(size !== undefined && { size }) }
        if (problem !== undefined) this.#found(problem, place, part.what + of)
        else if (digest !== undefined) this.#checked(place, part.what + of)
      }
    } catch (error) {
      this.#found(error, {}, `config${of}`)
    }
  }

  /** Tells of an error that says something of the content, and throws any other. */
  #found(error: unknown, place: Partial<Descriptor>, what: string, kind = 'blob'): void {
    if (!isAboutContent(error)) throw error
    const isAbsent = isMissing(error) && place.digest !== undefined
    const code = isAbsent ? `missing-${kind}` : error.code
    const message = isAbsent ? `missing ${kind} ${place.digest}` : error.message
    this.#tell({ ...about('problem', place, what), code, message })
  }

  /** What is of a type that we don't know can't be looked into, and isn't wrong for that. */
  #foundManifest(error: unknown, place: Partial<Descriptor>, name: string): void {
    if (!isAboutContent(error) || error.code !== 'unsupported') this.#found(error, place, name, 'manifest')
    else this.#tell({ ...about('note', place, name), code: error.code, message: error.message })
  }

  /** Tells of a blob that was read, which happens to none unless everything is. */
  #checked(place: Partial<Descriptor>, what: string): void {
    if (this.#options.full !== true) return
    this.#tell({ ...about('checked', place, what), code: 'checked', message: `checked ${place.digest}` })
  }

  #note(code: string, descriptor: Descriptor, what: string, says: string): void {
    this.#tell({ ...about('note', descriptor, what), code, message: `${descriptor.digest} ${says}` })
  }

  #tell(finding: Finding): void {
    if (finding.type === 'problem') this.verified.problems++
    this.#options.tell(finding)
  }

  #tooMuch(): RegctlError {
    const message = `${this.#source.label} has indexes deeper than ${MAXIMUM_DEPTH} levels, or more than ${MAXIMUM_MANIFESTS} manifests`
    return new RegctlError(message, { kind: 'corrupt', code: 'too-deep' })
  }
}

function about(type: Finding['type'], { digest, size }: Partial<Descriptor>, what: string) {
  return { type, what, ...(digest !== undefined && { digest }), ...(size !== undefined && { size }) }
}

const isFileSystem = ({ mediaType }: Descriptor) => announcedCompression(mediaType) !== undefined

function nameOf(child: Descriptor, parent: string): string {
  const { platform, annotations } = child
  const isAttestation = annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
  if (isAttestation) return `attestation ${child.digest.slice(0, 19)}`
  const own = platform === undefined ? child.digest.slice(0, 19) : formatPlatform(platform)
  return parent === '' ? own : `${own} of ${parent}`
}
