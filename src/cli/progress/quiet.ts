import type { ProgressRenderer } from './renderer.js'

/** Shows nothing. */
export class QuietRenderer implements ProgressRenderer {
  event(): void {}

  end(): void {}
}
