import { expect, test } from 'vitest'
import type { CopyEvent } from '../../index.js'
import { Notices } from './notice.js'

function retrying(fields: Partial<Extract<CopyEvent, { type: 'retrying' }>> = {}): CopyEvent {
  return {
    type: 'retrying',
    operation: 'push of blob a',
    cause: 'answered 503',
    attempt: 1,
    delayMs: 500,
    ...fields,
  }
}

test('tells the cause of the first retry of each operation, and is silent about the others', () => {
  const notices = new Notices()
  expect(notices.lineFor(retrying())).toBe('retrying: push of blob a: answered 503 (attempt 1, in 0.5 s)\n')
  expect(notices.lineFor(retrying({ attempt: 2, cause: 'answered 502', delayMs: 1000 }))).toBeUndefined()
  expect(notices.lineFor(retrying({ operation: 'push of blob b', delayMs: 0 }))).toBe(
    'retrying: push of blob b: answered 503 (attempt 1, at once)\n',
  )
})

test('tells of each long wait', () => {
  const notices = new Notices()
  notices.lineFor(retrying())
  expect(notices.lineFor(retrying({ attempt: 4, delayMs: 30_000 }))).toBe(
    'retrying: push of blob a: answered 503 (attempt 4, in 30.0 s)\n',
  )
})

test('does not repeat for a hundred layers what it told of three', () => {
  const notices = new Notices()
  const lines = Array.from({ length: 100 }, (_, number) =>
    notices.lineFor(retrying({ operation: `push of blob ${number}` })),
  )
  expect(lines.filter(line => line !== undefined)).toHaveLength(3)
  expect(notices.lineFor(retrying({ operation: 'push of blob z', cause: 'timed out' }))).toContain(
    'timed out',
  )
})
