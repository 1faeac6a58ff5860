import { createInterface } from 'node:readline/promises'
import type { Readable, Writable } from 'node:stream'

/**
 * Asks a question to be answered by y or yes. Anything else, and the end of the input, is a no.
 *
 * @throws AbortError when the signal is aborted while it waits
 */
export async function confirm(
  question: string,
  { input, output, signal }: { input: Readable; output: Writable; signal: AbortSignal },
): Promise<boolean> {
  // Not as a terminal's line editor: that would take Ctrl-C for itself.
  const lines = createInterface({ input, output, terminal: false })
  const ended = new AbortController()
  lines.once('close', () => ended.abort())
  try {
    const answer = await lines.question(`${question} [y/N] `, {
      signal: AbortSignal.any([signal, ended.signal]),
    })
    return /^\s*y(?:es)?\s*$/i.test(answer)
  } catch (error) {
    if (signal.aborted || !ended.signal.aborted) throw error
    return false
  } finally {
    lines.close()
  }
}
