import type { Descriptor, Platform } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import { digestTags } from '../content/digest-tags.js'
import { type ImageManifest, type Index, parseManifest } from '../content/manifest.js'
import { isIndexType, MediaType } from '../content/media-types.js'
import { isAttestation } from '../content/platform.js'
import { referrerOf } from '../content/referrer.js'
import type { Context, RawManifest, Source, Store } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { platformRoot } from '../copy/platform-root.js'
import { RegctlError } from '../errors.js'
import { WeightedLimit } from '../limit.js'
import { nameOfReferrer, predicateTypeOf } from './referrer-kind.js'

/** How deep a tree goes (rules R85, R232): indexes within indexes, and referrers of referrers. */
const MAXIMUM_DEPTH = 8
/** How many manifests a tree may have (rule R232). */
const MAXIMUM_NODES = 10_000
const REQUESTS_AT_ONCE = 8

/** A manifest that says something of another. */
export interface ReferrerNode {
  /** With its annotations and its artifactType: where it states none and has no subject, that is its first layer's type. */
  descriptor: Descriptor
  /** What it is in words: `SPDX SBOM`; its artifactType when that has no name. */
  name: string
  /** What its attestations state; empty when it has none, or doesn't say. */
  predicateTypes: readonly string[]
  /** How it was found: by its `subject`, by a tag of cosign's, or in the index beside the image. */
  via: 'subject' | 'tag' | 'index'
  /** The tag by which it was found. Absent for the others. */
  tag?: string
  /** Size in bytes of its layers. Absent when its manifest was not read. */
  contentSize?: number
  /** What refers to it in turn. */
  referrers: readonly ReferrerNode[]
  /** Its own referrers are shown at another place of the tree. Absent otherwise. */
  repeated?: true
}

/** An image or an index with all that refers to it. */
export interface SubjectNode {
  descriptor: Descriptor
  platform?: Platform
  referrers: readonly ReferrerNode[]
  /** What an index names, without its attestations; empty for an image. */
  children: readonly SubjectNode[]
}

/** What is looked for by {@link readReferrerTree}. */
export interface ReferrerTreeOptions {
  /** Look for cosign's digest tags too (rule R193). Default: true. */
  digestTags?: boolean
  /** Only this platform's image of an index. */
  platform?: Platform | undefined
}

type Found = Omit<ReferrerNode, 'referrers' | 'repeated'>

/**
 * Everything that refers to an image or an index, to its children, and to what refers to them: by `subject`, by
 * cosign's tags, and as BuildKit's attestations within the index. Each manifest's referrers are asked for once.
 *
 * @throws RegctlError of kind `not-found` when the root isn't there; `too-many`; what the source throws. What is nested
 * deeper than 8 levels is left out with a warning.
 */
export async function readReferrerTree(
  root: Root,
  context: Context,
  options: ReferrerTreeOptions = {},
): Promise<SubjectNode> {
  return await new Walk(root.source, context, options).start(root)
}

class Walk {
  readonly #source: Source
  readonly #context: Context
  readonly #options: ReferrerTreeOptions
  readonly #limit = new WeightedLimit({ count: REQUESTS_AT_ONCE })
  /** The manifests whose referrers were asked for: a list may lead back to its subject (rule R85). */
  readonly #asked = new Set<Digest>()
  /** What indexes hold about their images. */
  readonly #attestations = new Map<string, Descriptor[]>()
  #count = 0
  #isTooDeep = false

  constructor(source: Source, context: Context, options: ReferrerTreeOptions) {
    this.#source = source
    this.#context = context
    this.#options = options
  }

  async start({ source, root }: Root): Promise<SubjectNode> {
    const { platform } = this.#options
    const raw = await source.getManifest(root, this.#context)
    if (platform === undefined) return await this.#subject(raw.descriptor, raw, 0)
    await this.#noteAttestations(raw, 0)
    const chosen = await platformRoot({ source, root }, platform, this.#context)
    const { descriptor } = await source.getManifest(chosen.root, this.#context)
    return await this.#subject({ ...descriptor, platform }, undefined, 0)
  }

  /** An image's attestations may be in any of the indexes above it. */
  async #noteAttestations(raw: RawManifest, depth: number): Promise<void> {
    if (!isIndexType(raw.descriptor.mediaType) || depth > MAXIMUM_DEPTH) return
    for (const child of this.#childrenOf(raw)) {
      if (isIndexType(child.mediaType))
        await this.#noteAttestations(await this.#read(child.digest), depth + 1)
    }
  }

  async #subject(descriptor: Descriptor, raw: RawManifest | undefined, depth: number): Promise<SubjectNode> {
    this.#countOne()
    const { platform, ...bare } = descriptor
    const isFirst = !this.#asked.has(descriptor.digest)
    this.#asked.add(descriptor.digest)
    let children: readonly Descriptor[] = []
    if (isFirst && isIndexType(descriptor.mediaType) && this.#mayGoDeeper(depth)) {
      children = this.#childrenOf(raw ?? (await this.#read(descriptor.digest)))
    }
    const [referrers, subjects] = await Promise.all([
      isFirst ? this.#referrersOf(descriptor.digest, depth) : [],
      Promise.all(children.map(child => this.#subject(child, undefined, depth + 1))),
    ])
    return { descriptor: bare, ...(platform !== undefined && { platform }), referrers, children: subjects }
  }

  /** What an index names, without attestations; those are noted for the images that they are about. */
  #childrenOf(raw: RawManifest): readonly Descriptor[] {
    const index = this.#parse(raw)
    if (index.kind === 'image') return []
    for (const child of index.manifests.filter(isAttestation)) {
      const about = child.annotations?.['vnd.docker.reference.digest'] ?? ''
      const known = this.#attestations.get(about) ?? []
      if (!known.some(({ digest }) => digest === child.digest)) {
        this.#attestations.set(about, [...known, child])
      }
    }
    return index.manifests.filter(child => !isAttestation(child))
  }

  async #referrersOf(subject: Digest, depth: number): Promise<ReferrerNode[]> {
    if (!this.#mayGoDeeper(depth)) return []
    const lists = await Promise.all([
      this.#attestationsAbout(subject),
      this.#byTags(subject),
      this.#bySubject(subject),
    ])
    // An attestation in the index may have a subject as well.
    const unique = new Map(
      lists
        .flat()
        .reverse()
        .map(found => [found.descriptor.digest, found]),
    )
    const nodes = await Promise.all([...unique.values()].reverse().map(found => this.#expand(found, depth)))
    return nodes
  }

  async #expand(found: Found, depth: number): Promise<ReferrerNode> {
    this.#countOne()
    const { digest } = found.descriptor
    if (this.#asked.has(digest)) return { ...found, referrers: [], repeated: true }
    this.#asked.add(digest)
    return { ...found, referrers: await this.#referrersOf(digest, depth + 1) }
  }

  async #bySubject(subject: Digest): Promise<Found[]> {
    const list = await this.#limit.run(1, () => this.#source.listReferrers(subject, this.#context))
    return await Promise.all(list.map(descriptor => this.#describeListed(descriptor)))
  }

  /**
   * A list of referrers tells enough, but for attestations that don't say there what they state, and for the lists that
   * cosign keeps where there is no API: there every artifactType is that of the config, which is empty (rule R81).
   */
  async #describeListed(descriptor: Descriptor): Promise<Found> {
    const predicateType = predicateTypeOf(descriptor.annotations)
    const { artifactType } = descriptor
    const isVague =
      predicateType === undefined &&
      (artifactType === undefined ||
        artifactType === MediaType.ociEmpty ||
        /in-toto|dsse|attestation/.test(artifactType))
    if (isVague) return (await this.#readFound(descriptor.digest, 'subject')) ?? named(descriptor, [], [])
    return named(descriptor, predicateType === undefined ? [] : [predicateType], [])
  }

  async #attestationsAbout(subject: Digest): Promise<Found[]> {
    const descriptors = this.#attestations.get(subject) ?? []
    return await Promise.all(
      descriptors.map(async descriptor => {
        const found = await this.#readFound(descriptor.digest, 'index')
        return found ?? { ...named(descriptor, [], []), name: 'attestation, missing', via: 'index' as const }
      }),
    )
  }

  async #byTags(subject: Digest): Promise<Found[]> {
    if (this.#options.digestTags === false) return []
    const found = digestTags(subject).map(async tag => {
      const node = (await this.#has(tag)) ? await this.#readFound(tag, 'tag') : undefined
      // Some take such a tag for the digest in it (rule R79), and a docker-archive has one manifest whatever is asked.
      return node === undefined || node.descriptor.digest === subject ? [] : [{ ...node, tag }]
    })
    return (await Promise.all(found)).flat()
  }

  /** HEAD tells it without counting against a registry's limit (rule R196), where there is such a thing. */
  async #has(tag: string): Promise<boolean> {
    const { statManifest } = this.#source as Partial<Store>
    if (statManifest === undefined) return true
    return (await this.#limit.run(1, () => statManifest.call(this.#source, tag, this.#context))) !== undefined
  }

  /** Reads a manifest for what it says of itself; undefined when it isn't there. */
  async #readFound(tagOrDigest: string, via: Found['via']): Promise<Found | undefined> {
    let raw: RawManifest
    try {
      raw = await this.#read(tagOrDigest)
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
    const manifest = this.#parse(raw)
    const { mediaType, digest, size } = raw.descriptor
    const layers = manifest.kind === 'image' ? manifest.layers : []
    // What has no subject states no artifactType either: what it holds is the next best.
    const artifactType = manifest.artifactType ?? layers[0]?.mediaType
    const descriptor = referrerOf(raw)?.descriptor ?? {
      ...{ mediaType, digest, size },
      ...(artifactType !== undefined && { artifactType }),
      ...(Object.keys(manifest.annotations).length > 0 && { annotations: manifest.annotations }),
    }
    const types = [manifest, ...layers].map(({ annotations }) => predicateTypeOf(annotations))
    const predicateTypes = [...new Set(types.filter(type => type !== undefined))]
    const contentSize = layers.reduce((sum, layer) => sum + layer.size, 0)
    const layerTypes = layers.map(layer => layer.mediaType)
    return { ...named(descriptor, predicateTypes, layerTypes), via, contentSize }
  }

  async #read(tagOrDigest: string): Promise<RawManifest> {
    return await this.#limit.run(1, () => this.#source.getManifest(tagOrDigest, this.#context))
  }

  #parse({ bytes, descriptor }: RawManifest): ImageManifest | Index {
    return parseManifest(
      bytes,
      descriptor.mediaType,
      `manifest ${descriptor.digest} of ${this.#source.label}`,
    )
  }

  #countOne(): void {
    if (++this.#count <= MAXIMUM_NODES) return
    throw new RegctlError(`more than ${MAXIMUM_NODES} manifests refer to what ${this.#source.label} has`, {
      kind: 'corrupt',
      code: 'too-many',
    })
  }

  #mayGoDeeper(depth: number): boolean {
    if (depth < MAXIMUM_DEPTH) return true
    if (!this.#isTooDeep) {
      const message = `what is nested deeper than ${MAXIMUM_DEPTH} levels is not looked at`
      this.#context.emit({ type: 'warning', message })
    }
    this.#isTooDeep = true
    return false
  }
}

function named(
  descriptor: Descriptor,
  predicateTypes: readonly string[],
  layerTypes: readonly string[],
): Found {
  const { artifactType } = descriptor
  const name = nameOfReferrer({ artifactType, predicateTypes, layerTypes })
  return { descriptor, name, predicateTypes, via: 'subject' }
}

function isAbsence(error: unknown): boolean {
  return error instanceof RegctlError && (error.kind === 'not-found' || error.code === 'missing-blob')
}
