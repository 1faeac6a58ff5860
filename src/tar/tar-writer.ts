import type { Writable } from 'node:stream'
import { encodeHeaders, paddingOf } from './header-encode.js'
import { TarError } from './tar-error.js'

/**
 * Writes a tar whose bytes depend on nothing but the names and contents given: time 0, user and group 0, mode 0644 or
 * 0755, in the order of the calls. Names that ustar cannot hold, and sizes from 8 GiB on, get a PAX header.
 *
 * One call at a time. {@link finish} writes the end and leaves the output open: the caller ends or closes it.
 *
 * @example
 * const tar = new TarWriter(createWriteStream('image.tar'))
 * await tar.addFile('manifest.json', bytes.length, bytes)
 * await tar.finish()
 */
export class TarWriter {
  readonly #output: Writable
  #failure: Error | undefined

  constructor(output: Writable) {
    this.#output = output
    output.on('error', error => {
      this.#failure = error
    })
  }

  /**
   * Adds a regular file.
   *
   * @param size in bytes, known beforehand since it stands in front
   * @param content is read to its end; each piece is written before the next one is asked for
   * @throws TarError `size-mismatch` when the content is of another size, and what the content or the output throws; the
   * tar is unusable then
   */
  async addFile(name: string, size: number, content: AsyncIterable<Uint8Array> | Uint8Array): Promise<void> {
    await this.#write(encodeHeaders({ name, type: '0', mode: 0o644, size }))
    let written = 0
    for await (const chunk of content instanceof Uint8Array ? [content] : content) {
      written += chunk.length
      if (written > size) break
      await this.#write(chunk)
    }
    if (written !== size) {
      const found = written > size ? `at least ${written}` : `${written}`
      throw new TarError(`${name} should have ${size} bytes but has ${found}`, 'size-mismatch')
    }
    await this.#write(paddingOf(size))
  }

  /** Adds a directory. Tars of images need none, but some readers like to see them. */
  async addDirectory(name: string): Promise<void> {
    const path = name.endsWith('/') ? name : `${name}/`
    await this.#write(encodeHeaders({ name: path, type: '5', mode: 0o755, size: 0 }))
  }

  /** Writes the two zero blocks that end a tar, and waits until the output has taken everything. */
  async finish(): Promise<void> {
    await this.#write(Buffer.alloc(1024))
  }

  async #write(bytes: Uint8Array): Promise<void> {
    if (this.#failure !== undefined) throw this.#failure
    if (bytes.length === 0) return
    await new Promise<void>((resolve, reject) => {
      this.#output.write(bytes, error => {
        if (error) reject(error)
        else resolve()
      })
    })
  }
}
