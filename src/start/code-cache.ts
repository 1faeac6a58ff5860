import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  rmSync,
  type Stats,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { packCode, unpackCode } from './code-pack.js'

/** More than that is no cache of ours. */
const SIZE_LIMIT_BYTES = 32 * 1024 * 1024

/** So many builds may be in use beside each other: versions, and Nodes that run them. */
const KEPT_BUILDS = 8

/** Where compiled code is kept, and for whom. */
export interface CodeCacheOptions {
  /** The folder of all builds' caches; undefined where there is none. */
  folder: string | undefined
  /** What code must come from to be of use: the build of regctl, the version of Node and its flags. Names a folder. */
  build: string
  /** What is run. It decides which functions were compiled, so each has a file of its own. */
  name: string
}

/**
 * Remembers what V8 compiled, so that the next run needs not compile it again. It is never needed: whatever goes wrong
 * with it, goes wrong in silence.
 *
 * V8 runs what it is given without looking at it. So a file counts only if it and its folder belong to this user and
 * nobody else may write to them, and if its checksum is right.
 */
export class CodeCache {
  readonly #options: CodeCacheOptions
  #codes: ReadonlyMap<string, Buffer> | undefined

  constructor(options: CodeCacheOptions) {
    this.#options = options
  }

  /** What is remembered of a file of the bundle; V8 decides whether it is of use. */
  get(file: string): Buffer | undefined {
    this.#codes ??= this.#read()
    return this.#codes.get(file)
  }

  /** Remembers more, and what was remembered before of other files. Caches of old builds are removed. */
  save(compiled: ReadonlyMap<string, Buffer>): void {
    const { folder, build, name } = this.#options
    if (folder === undefined) return
    try {
      const own = join(folder, build)
      makeFolder(own)
      if (!isPrivate(lstatSync(own))) return
      const path = join(own, `${name}.bin`)
      const temporary = `${path}.${process.pid}`
      try {
        writeFileSync(temporary, packCode(new Map([...(this.#codes ?? []), ...compiled])), {
          mode: 0o600,
          flag: 'wx',
        })
        renameSync(temporary, path)
      } catch (error) {
        rmSync(temporary, { force: true })
        throw error
      }
      removeOldBuilds(folder, build)
    } catch {
      // The next run compiles again.
    }
  }

  #read(): ReadonlyMap<string, Buffer> {
    const { folder, build, name } = this.#options
    if (folder === undefined) return new Map()
    let file: number | undefined
    try {
      const own = join(folder, build)
      if (!isPrivate(lstatSync(own))) return new Map()
      file = openSync(join(own, `${name}.bin`), constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
      const status = fstatSync(file)
      if (!isPrivate(status) || !status.isFile() || status.size > SIZE_LIMIT_BYTES) return new Map()
      // V8 wants its data aligned, which what comes from the shared pool need not be.
      const bytes = Buffer.allocUnsafeSlow(status.size)
      return readSync(file, bytes, 0, status.size, 0) === status.size ? unpackCode(bytes) : new Map()
    } catch {
      return new Map()
    } finally {
      if (file !== undefined) closeSync(file)
    }
  }
}

/** Windows has no such modes: what is in a user's folder for local data is theirs alone. */
function isPrivate(status: Stats): boolean {
  return isOurs(status) && (process.platform === 'win32' || (status.mode & 0o022) === 0)
}

function isOurs(status: Stats): boolean {
  return process.getuid === undefined || status.uid === process.getuid()
}

/**
 * Makes a folder and those above it, below one that is ours: who runs this as another user, with the home of the first,
 * must not leave folders there that the first can't use. Node's own `recursive` never ends in a folder such as `/proc`.
 */
function makeFolder(path: string): void {
  const status = lstatSync(path, { throwIfNoEntry: false })
  if (status !== undefined) {
    if (!isOurs(status)) throw new Error(`${path} is not ours`)
    return
  }
  makeFolder(dirname(path))
  try {
    mkdirSync(path, { mode: 0o700 })
  } catch (error) {
    // Another run made it at the same moment.
    if (!existsSync(path)) throw error
  }
}

function removeOldBuilds(folder: string, current: string): void {
  const builds = readdirSync(folder)
    .filter(build => build !== current)
    .map(build => ({ path: join(folder, build), changedMs: lstatSync(join(folder, build)).mtimeMs }))
    .sort((one, other) => other.changedMs - one.changedMs)
  for (const { path } of builds.slice(KEPT_BUILDS - 1)) rmSync(path, { recursive: true, force: true })
}
