import { createHmac, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import bcrypt from 'bcryptjs'
import { messageOf, RegctlError } from '../errors.js'

/** A password file can't be used. */
export class HtpasswdError extends RegctlError {}

const MAXIMUM_REMEMBERED = 1000
const BCRYPT = /^\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}$/

/**
 * Users with their passwords, hashed by bcrypt as `htpasswd -B` writes them. Checking one takes bcrypt a good part of a
 * second on purpose, and clients send it with each request, so what was checked is remembered, under a keyed hash.
 */
export class Htpasswd {
  readonly #hashes: ReadonlyMap<string, string>
  readonly #key = randomBytes(32)
  readonly #checked = new Map<string, Promise<boolean>>()

  private constructor(hashes: ReadonlyMap<string, string>) {
    this.#hashes = hashes
  }

  /**
   * Reads a password file.
   *
   * @throws HtpasswdError `bad-htpasswd` as {@link parse}, `unreadable` when the file can't be read
   */
  static async load(path: string): Promise<Htpasswd> {
    let text: string
    try {
      text = await readFile(path, 'utf8')
    } catch (cause) {
      throw new HtpasswdError(`can't read the password file ${path}: ${messageOf(cause)}`, {
        kind: 'failed',
        code: 'unreadable',
        cause,
      })
    }
    return Htpasswd.parse(text, path)
  }

  /**
   * Reads lines of the form `user:hash`; empty lines and comments are passed over.
   *
   * @param what for messages: the file's path
   * @throws HtpasswdError `bad-htpasswd` when a line is none, or its hash is not one of bcrypt
   */
  static parse(text: string, what: string): Htpasswd {
    const hashes = new Map<string, string>()
    for (const [position, line] of text.split(/\r?\n/).entries()) {
      if (line.trim() === '' || line.startsWith('#')) continue
      const colon = line.indexOf(':')
      const hash = line.slice(colon + 1).trim()
      if (colon < 1 || !BCRYPT.test(hash)) {
        throw new HtpasswdError(`line ${position + 1} of ${what} is not a user with a bcrypt hash`, {
          kind: 'usage',
          code: 'bad-htpasswd',
          hint: 'Make the file with "htpasswd -B"; other hashes are not taken',
        })
      }
      hashes.set(line.slice(0, colon), hash)
    }
    return new Htpasswd(hashes)
  }

  /** Whether the user is known and the password is right. */
  check(user: string, password: string): Promise<boolean> {
    const key = createHmac('sha256', this.#key).update(`${user}\0${password}`).digest('base64')
    const known = this.#checked.get(key)
    if (known !== undefined) return known
    const result = this.#compare(user, password)
    // Guesses must not fill the memory.
    if (this.#checked.size >= MAXIMUM_REMEMBERED) this.#checked.clear()
    this.#checked.set(key, result)
    return result
  }

  /** An unknown user takes as long as a known one, so that the time does not tell who is known. */
  async #compare(user: string, password: string): Promise<boolean> {
    const own = this.#hashes.get(user)
    const [any] = this.#hashes.values()
    const hash = own ?? any
    const matches = hash !== undefined && (await bcrypt.compare(password, hash))
    return matches && own !== undefined
  }
}
