import type { Readable } from 'node:stream'
import type { Chunks } from './chunks.js'
import type { Descriptor } from './descriptor.js'
import type { Digest } from './digest.js'
import type { CopyEvent } from './events.js'

/**
 * A manifest or index exactly as it is stored. The bytes are the truth: they are never parsed and written anew
 * (rule R23). `descriptor.size` and `descriptor.digest` are those of the bytes.
 */
export interface RawManifest {
  descriptor: Descriptor
  bytes: Uint8Array
}

/** Goes with every call into a store. */
export interface Context {
  /** When aborted, the call ends soon with an error and leaves nothing half-written. */
  readonly signal: AbortSignal
  /** Takes what happens on the way. Must not throw. */
  emit(event: CopyEvent): void
}

/**
 * Somewhere to read images from: a registry's repository, an OCI layout, a docker-archive.
 * Calls may come at the same time. Dispose when done; a disposed source is not used again.
 */
export interface Source extends AsyncDisposable {
  /** For messages: `oci:./out`, `host/repository`. Never holds a secret. */
  readonly label: string

  /**
   * Finds a manifest by tag or digest. The bytes have been checked against the digest when one was asked for.
   *
   * @throws RegctlError of kind `not-found` when there is none, `corrupt` when it is not what was asked for
   */
  getManifest(tagOrDigest: string, context: Context): Promise<RawManifest>

  /**
   * Opens the stored bytes of a blob, from a byte offset on (0 when not given). The stream is not verified: the
   * caller does that (content/verify.ts), and destroys the stream when it stops early.
   *
   * @throws RegctlError of kind `not-found` when the blob is not there
   */
  openBlob(descriptor: Descriptor, context: Context, from?: number): Promise<Readable>

  /**
   * The same for those who work on one chunk after another and keep none, which costs less. Throws, as it is read, what
   * {@link Source.openBlob} throws. Absent where that does as well.
   *
   * @param cut how long the reader would like the first chunk to be, and each other one `CUT_BYTES`: what goes to a file
   * then needs no copying. A wish, which most sources need not know
   */
  blobChunks?(descriptor: Descriptor, context: Context, from?: number, cut?: number): Chunks

  /**
   * The last bytes of a blob, before anything else of it is read; not verified. Undefined when they can't be had alone. Absent
   * where that is never worth it.
   */
  readBlobEnd?(descriptor: Descriptor, bytes: number, context: Context): Promise<Buffer | undefined>

  /**
   * Takes note that the bytes of a blob turned out wrong (rule R247). Absent where they would be the same again: in a file.
   *
   * @returns whether it is worth opening the blob again from its start: there is another place to get it from, or the
   * same one may do better
   */
  rejectBlob?(digest: Digest, context: Context): boolean

  /**
   * Whether the bytes of a blob were hashed by this process and are out of reach of others since, so that nobody need check
   * them again. Absent where there are none.
   */
  hasVerified?(digest: Digest): boolean

  /**
   * Whether {@link Source.blobChunks}, of a blob from its start, check size and digest on their own, and throw what
   * `verifyChunks` does: it is hashed where it is made. The last chunk is not held back. Absent where none are checked so.
   */
  checksChunks?(digest: Digest): boolean

  /**
   * Whether blobs lie on a disk of this machine, where reading one again costs little: it may then be left to a registry to
   * check the bytes, which it does anyway. Absent where they come from elsewhere.
   */
  readonly isAtHand?: boolean

  /** The size of a blob in bytes; undefined when it is not there. Absent where that can't be told without its descriptor. */
  statBlob?(digest: Digest, context: Context): Promise<number | undefined>

  /** The manifests whose `subject` is this digest; none is an empty list. Each descriptor has its artifactType and annotations. */
  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]>

  /**
   * The image for those who want what is in it, where its manifest would be made for that alone: a docker-archive has
   * plain layers, which are compressed for a manifest. Such a source has one single image. Absent where blobs are stored
   * as the manifest names them.
   *
   * @throws RegctlError when the config or a layer is not there, or they don't fit each other
   */
  openContents?(context: Context): Promise<ImageContents>

  /**
   * Blobs that are ready before the manifest can be (layers still being compressed). A sink may take each
   * at once. Absent when every blob is known by the manifest.
   */
  earlyBlobs?(context: Context): AsyncIterable<Descriptor>
}

/** What an image consists of, without its manifest. */
export interface ImageContents {
  config: Uint8Array
  /** From the base up. */
  layers: readonly StoredLayer[]
}

/** A layer as it lies in a file. */
export interface StoredLayer {
  /** What the config says of it. */
  diffID: Digest
  /** In bytes, as stored. */
  size: number
  /**
   * Opens the stored bytes, which may be compressed. Not verified: the caller checks the uncompressed bytes against the
   * diffID, and consumes or destroys the stream.
   */
  open(): Promise<Readable>
}

/** The bytes of a blob that is to be put somewhere, with where they come from. */
export interface BlobContent {
  readonly descriptor: Descriptor
  /** Lets a sink see that it can take the blob without moving bytes (mount, hard link). */
  readonly origin: Source
  /**
   * Opens the bytes, from an offset on. May be called again after a failure, each time for a fresh stream. A stream
   * from offset 0 is verified: it fails before its end if size or digest are wrong. The caller of `open`
   * consumes or destroys what it gets.
   *
   * @param options `unverified` for a caller that checks the bytes itself, so that they are hashed once
   */
  open(from?: number, options?: { unverified?: boolean }): Promise<Readable>

  /** The same for those who work on one chunk after another and keep none. Absent where {@link BlobContent.open} does as well. */
  chunks?(from?: number, options?: { unverified?: boolean }): Chunks

  /**
   * Reads the bytes for nothing but to check them. Absent where they should rather be checked as they are read.
   *
   * @throws ContentError `size-mismatch` or `digest-mismatch`; what reading throws
   */
  check?(): Promise<void>
}

/**
 * Somewhere to write images to. Order of calls: the blobs of a manifest, then the manifest; the children of an index,
 * then the index; `commit` last. Calls may come at the same time. Dispose without `commit` removes partial output.
 */
export interface Sink extends AsyncDisposable {
  readonly label: string

  /**
   * True where asking for a blob costs next to nothing. Blobs are then looked for although the manifest that names them is
   * in place, which mends what was damaged.
   */
  readonly asksFreely?: boolean

  /**
   * How many large blobs may go there at once with profit, where more make all of them slower: it shares the processors with
   * whoever sends them. Absent where more are as good or better.
   */
  readonly largeBlobsAtOnce?: number | undefined

  /** Whether a manifest with this digest is in place. False when that can't be told. */
  hasManifest(digest: Digest, context: Context): Promise<boolean>

  /** Whether a blob with this digest and size is in place. False when that can't be told. */
  hasBlob(descriptor: Descriptor, context: Context): Promise<boolean>

  /**
   * What a tag or digest stands for, with its true media type; undefined when there is nothing. Absent where nothing
   * can be looked up before the end: in an archive that is being written.
   */
  statManifest?(tagOrDigest: string, context: Context): Promise<Descriptor | undefined>

  /** As {@link Source.listReferrers}, of what is in place. Absent where that can't be told before the end. */
  listReferrers?(subject: Digest, context: Context): Promise<Descriptor[]>

  /**
   * Puts a blob in place. It is visible only after all its bytes were there with the right digest. When the
   * stream fails, nothing of it stays.
   */
  putBlob(blob: BlobContent, context: Context): Promise<'copied' | 'mounted' | 'exists'>

  /** After `mounted`: the repository that the blob was taken from. Absent where nobody asks. */
  mountedFrom?(digest: Digest): string | undefined

  /**
   * Puts a manifest in place under its digest, and then under each of the tags. Everything that it names is in
   * place already.
   */
  putManifest(manifest: RawManifest, tags: readonly string[], context: Context): Promise<void>

  /** Ends the writing: an archive is finished and gets its name. Elsewhere nothing is left to do. */
  commit(context: Context): Promise<void>
}

/** Where in a list of tags or names to start and how many to give. */
export interface ListOptions {
  /** Give only what comes after this one, which need not exist. */
  after?: string
  /** At most this many; all when not given. */
  limit?: number
}

/** A place that can be read, written and tidied: one repository. */
export interface Store extends Source, Sink {
  /** The descriptor (with the true media type) of a manifest by tag or digest; undefined when there is none. */
  statManifest(tagOrDigest: string, context: Context): Promise<Descriptor | undefined>

  listReferrers(subject: Digest, context: Context): Promise<Descriptor[]>

  /** The size of a blob in bytes; undefined when it is not there. */
  statBlob(digest: Digest, context: Context): Promise<number | undefined>

  /** The tags in lexical order, page by page where the store has pages. */
  listTags(context: Context, options?: ListOptions): AsyncIterable<string>

  /** Removes one tag and nothing else; false when there was none. */
  deleteTag(tag: string, context: Context): Promise<boolean>

  /** Removes a manifest and every tag that points at it; false when there was none. */
  deleteManifest(digest: Digest, context: Context): Promise<boolean>

  /** Removes a blob; false when there was none. */
  deleteBlob(digest: Digest, context: Context): Promise<boolean>
}

/** Several repositories under one roof: what a registry serves. */
export interface RepositoryCollection extends AsyncDisposable {
  /** The repository of that name, or undefined when there is none yet. The name has been checked for syntax. */
  find(name: string): Promise<Store | undefined>

  /** The repository of that name, made when there is none. Refuses when the collection is read-only. */
  create(name: string): Promise<Store>

  /** The names in lexical order. */
  listNames(options?: ListOptions): AsyncIterable<string>
}
