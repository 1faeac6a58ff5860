import { expect, test } from 'vitest'
import { createRenderer } from './renderer.js'

test('shows warnings and retries, and nothing else, when no progress is wanted', () => {
  const lines: string[] = []
  const stream = { write: (text: string) => lines.push(text) }
  const streams = { stdout: stream, stderr: stream }
  for (const live of [true, false]) {
    const renderer = createRenderer('quiet', streams, { live })
    renderer.event({ type: 'layers', layers: [] })
    renderer.event({ type: 'warning', message: 'a part is left out' })
    renderer.event({ type: 'retrying', operation: 'push', cause: 'answered 503', attempt: 2, delayMs: 500 })
    renderer.end()
  }
  expect(lines).toEqual([
    'warning: a part is left out\n',
    'retrying: push: answered 503 (attempt 2, in 0.5 s)\n',
  ])
})
