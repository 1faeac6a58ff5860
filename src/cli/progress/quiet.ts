import type { CopyEvent } from '../../index.js'
import { Notices } from './notice.js'
import type { ProgressRenderer, ProgressStream } from './renderer.js'

/** Shows no progress, but still what the user must not miss: warnings and the causes of retries. */
export class QuietRenderer implements ProgressRenderer {
  readonly #notices: ProgressStream | undefined
  readonly #told = new Notices()

  /** @param notices where these go; undefined where another renderer shows them */
  constructor(notices?: ProgressStream) {
    this.#notices = notices
  }

  event(event: CopyEvent): void {
    const line = this.#notices === undefined ? undefined : this.#told.lineFor(event)
    if (line !== undefined) this.#notices?.write(line)
  }

  end(): void {}
}
