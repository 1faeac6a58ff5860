import { describe, expect, it } from 'vitest'
import { chooseMode } from './renderer.js'

describe('chooseMode', () => {
  it('shows bars at a terminal', () => {
    expect(chooseMode('auto', { isTTY: true, env: { TERM: 'xterm' } })).toBe('tty')
    expect(chooseMode('auto', { isTTY: true, env: { TERM: 'xterm', NO_COLOR: '1', CI: 'false' } })).toBe(
      'tty',
    )
  })

  it.each([
    ['at a pipe', { isTTY: false, env: {} }],
    ['at a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }],
    ['in continuous integration', { isTTY: true, env: { CI: 'true' } }],
    ['in continuous integration that says 1', { isTTY: true, env: { CI: '1' } }],
  ])('writes plain lines %s', (_where, where) => {
    expect(chooseMode('auto', where)).toBe('plain')
  })

  it('obeys a flag wherever it is', () => {
    const where = { isTTY: false, env: { CI: 'true' } }
    expect(chooseMode('tty', where)).toBe('tty')
    expect(chooseMode('json', where)).toBe('json')
    expect(chooseMode('none', where)).toBe('quiet')
    expect(chooseMode('plain', { isTTY: true, env: {} })).toBe('plain')
  })
})
