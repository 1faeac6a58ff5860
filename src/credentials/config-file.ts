import { chown, lstat, mkdir, readFile, readlink, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { isObject, parseJsonObject } from '../content/manifest.js'
import { messageOf, systemCodeOf } from '../errors.js'
import { removeAbandoned, replaceFile } from '../files/atomic-file.js'
import { withLock } from '../files/lock-file.js'
import { CredentialError } from './credential-error.js'

/** The most bytes of a settings file that are read (rule R236). */
const LIMIT_BYTES = 4 * 1024 * 1024
/** The most links that are followed to the file. */
const MOST_LINKS = 40
/** Read and write for the owner, and nobody else. */
const PRIVATE = 0o600
/** As Docker indents it. */
const INDENTATION = '\t'

/** A JSON document of settings: fields that we don't know are somebody else's. */
export type ConfigDocument = Readonly<Record<string, unknown>>

/** What is there, and how it is written. */
interface ConfigText {
  document: ConfigDocument
  indentation: string
  end: string
  /** Undefined when there is no file. */
  owner: { mode: number; uid: number; gid: number } | undefined
}

/**
 * Reads Docker's config.json whole.
 *
 * @returns an empty document when there is no file, or an empty one
 * @throws CredentialError `bad-docker-config` when it can't be read or is no JSON object
 */
export async function readConfigDocument(path: string): Promise<ConfigDocument> {
  return (await readConfigText(path)).document
}

/**
 * Changes Docker's config.json in one step that survives a crash, and is safe with other processes that change it in
 * this way (rule R132). Fields that the change leaves alone keep their values, their order and their indentation.
 * A link is followed to its target. The folder is made when it is missing, for its owner alone; so is the file, and a
 * mode that is stricter stays.
 *
 * @param change gets what is there, and gives what shall be there; the same object when nothing is to be written
 * @throws CredentialError `bad-docker-config`, `config-not-written`; FileError `file-locked`
 */
export async function changeConfigDocument(
  path: string,
  change: (document: ConfigDocument) => ConfigDocument,
): Promise<void> {
  try {
    const target = await followLinks(path)
    await mkdir(dirname(target), { recursive: true, mode: 0o700 })
    await withLock(`${target}.lock`, async () => {
      // They hold secrets.
      await removeAbandoned(target)
      const before = await readConfigText(target)
      const document = change(before.document)
      if (document !== before.document) await write(target, { ...before, document })
    })
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === undefined || !/^E[A-Z]+$/.test(code)) throw error
    throw new CredentialError(`cannot write ${path}: ${code}`, {
      kind: 'failed',
      code: 'config-not-written',
      hint: 'DOCKER_CONFIG names another folder for it',
      cause: error,
    })
  }
}

/** Where a path leads, also when there is nothing yet. */
async function followLinks(path: string): Promise<string> {
  let target = resolve(path)
  for (let links = 0; links < MOST_LINKS; links++) {
    const found = await lstat(target).catch(error => {
      if (systemCodeOf(error) === 'ENOENT') return undefined
      throw error
    })
    if (found?.isSymbolicLink() !== true) return target
    target = resolve(dirname(target), await readlink(target))
  }
  throw badConfig(path, 'its links lead in a circle')
}

async function readConfigText(path: string): Promise<ConfigText> {
  try {
    const { size, mode, uid, gid } = await stat(path)
    if (size > LIMIT_BYTES) throw badConfig(path, `it is larger than ${LIMIT_BYTES} bytes`)
    const bytes = await readFile(path)
    const text = bytes.toString('utf8')
    return {
      document: text.trim() === '' ? {} : parseDocument(bytes, path),
      indentation: /^\s*\{\r?\n([ \t]+)"/.exec(text)?.[1] ?? INDENTATION,
      end: /\n$/.test(text) ? '\n' : '',
      owner: { mode: mode & 0o777, uid, gid },
    }
  } catch (error) {
    const code = systemCodeOf(error)
    if (code === 'ENOENT' || code === 'ENOTDIR')
      return { document: {}, indentation: INDENTATION, end: '', owner: undefined }
    throw error instanceof CredentialError ? error : badConfig(path, code ?? messageOf(error), error)
  }
}

function parseDocument(bytes: Uint8Array, path: string): ConfigDocument {
  let document: ConfigDocument
  try {
    document = parseJsonObject(bytes, 'it')
  } catch (error) {
    // The cause is left out: the words of the JSON parser can repeat what it read.
    throw badConfig(path, messageOf(error))
  }
  if (document.auths !== undefined && document.auths !== null && !isObject(document.auths))
    throw badConfig(path, 'its "auths" is no object')
  return document
}

async function write(path: string, { document, indentation, end, owner }: ConfigText): Promise<void> {
  const text = `${JSON.stringify(document, undefined, indentation)}${end}`
  await replaceFile(path, Buffer.from(text), {
    mode: owner === undefined ? PRIVATE : owner.mode & PRIVATE,
  })
  // Root may write for somebody else, who would lose the file.
  if (owner !== undefined && process.getuid?.() === 0 && owner.uid !== 0)
    await chown(path, owner.uid, owner.gid)
}

function badConfig(path: string, why: string, cause?: unknown): CredentialError {
  return new CredentialError(`cannot read the credentials in ${path}: ${why}`, {
    kind: 'failed',
    code: 'bad-docker-config',
    hint: 'Repair the file, or move it away',
    cause,
  })
}
