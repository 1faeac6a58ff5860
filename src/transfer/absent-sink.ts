import type { Sink } from '../content/store.js'
import { CopyError } from '../copy/copy-error.js'

/** A file that is not there and will not be written: what a dry run plans for. */
export class AbsentSink implements Sink {
  readonly label: string

  /** @param label the path, or what stands for it in messages */
  constructor(label: string) {
    this.label = label
  }

  async hasManifest(): Promise<boolean> {
    return false
  }

  async hasBlob(): Promise<boolean> {
    return false
  }

  async putBlob(): Promise<never> {
    throw this.#refuse()
  }

  async putManifest(): Promise<never> {
    throw this.#refuse()
  }

  async commit(): Promise<never> {
    throw this.#refuse()
  }

  #refuse(): CopyError {
    return new CopyError(`${this.label} is only planned for`, { kind: 'failed', code: 'dry-run' })
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
