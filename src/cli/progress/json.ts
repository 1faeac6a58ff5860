import type { CopyEvent } from '../../index.js'
import type { ProgressRenderer, ProgressStream } from './renderer.js'

/**
 * Writes each event as one line of JSON: the event's own fields with `time` (ISO 8601) before them. Text
 * in it is as it came; JSON's escapes keep control characters in check (rule R231).
 */
export class JsonRenderer implements ProgressRenderer {
  readonly #stream: ProgressStream

  constructor(stream: ProgressStream) {
    this.#stream = stream
  }

  event(event: CopyEvent): void {
    const line = JSON.stringify({ time: new Date().toISOString(), ...event })
    // JSON escapes C0 only.
    this.#stream.write(`${line.replace(BEYOND_C0, escapeCharacter)}\n`)
  }

  end(): void {}
}

const BEYOND_C0 = /[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`
}
