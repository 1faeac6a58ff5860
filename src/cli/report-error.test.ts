import { Errors } from '@oclif/core'
import { describe, expect, it } from 'vitest'
import { RegctlError } from '../errors.js'
import { EXIT_CODES } from './exit-codes.js'
import { describeError, errorLines } from './report-error.js'

describe('errors as they are shown', () => {
  it('are one line, and a hint where there is one', () => {
    const error = new RegctlError('nothing is there', { kind: 'not-found', code: 'none', hint: 'Look again' })
    expect(errorLines(error)).toBe('error: nothing is there\nhint: Look again\n')
    expect(describeError(error)).toEqual({
      kind: 'not-found',
      code: 'none',
      message: 'nothing is there',
      hint: 'Look again',
    })
    expect(errorLines(new RegctlError('broken', { kind: 'corrupt', code: 'x' }))).toBe('error: broken\n')
  })

  it('never move the cursor of a terminal (R231)', () => {
    const error = new RegctlError('a\x1b[2Jb\rc\nd', { kind: 'failed', code: 'x', hint: '\x07ring' })
    const lines = errorLines(error)
    expect(lines.match(/\n/g)).toHaveLength(2)
    expect(lines).not.toMatch(/[\x00-\x09\x0b-\x1f]/)
  })

  it('are wrong usage where the flags are wrong, in one line', () => {
    const error = new Errors.CLIError(
      'The following error occurred:\n  --jobs is wrong\nSee more help with --help',
    )
    expect(describeError(error)).toEqual({
      kind: 'usage',
      code: 'usage',
      message: 'The following error occurred: --jobs is wrong',
      hint: 'Run `regctl --help`, or `regctl COMMAND --help`',
    })
  })

  it('name the flag whose value is wrong, without the words of oclif around it', () => {
    const message = 'Parsing --stall-timeout \n\tabc is no length of time\nSee more help with --help'
    expect(describeError(new RegctlError(message, { kind: 'usage', code: 'x' })).message).toBe(
      '--stall-timeout: abc is no length of time',
    )
  })

  it('are those of the system where it has one', () => {
    const error = Object.assign(new Error('ENOENT: no such file, open x'), {
      code: 'ENOENT',
      syscall: 'open',
    })
    expect(describeError(error)).toMatchObject({ kind: 'not-found', code: 'enoent' })
    const full = Object.assign(new Error('ENOSPC: no space'), { code: 'ENOSPC', syscall: 'write' })
    expect(describeError(full)).toMatchObject({ kind: 'failed', code: 'disk-full' })
    const locked = Object.assign(new Error('EROFS: open'), { code: 'EROFS', syscall: 'open', path: '/cd/x' })
    expect(describeError(locked).message).toBe("/cd/x can't be written: its disk is read-only")
  })

  it('are a mistake of ours where we know no better', () => {
    expect(describeError(new TypeError('x is undefined'))).toMatchObject({
      code: 'unexpected',
      message: 'unexpected: x is undefined',
      hint: expect.stringContaining('--debug'),
    })
    expect(describeError('text')).toMatchObject({ code: 'unexpected', message: 'unexpected: text' })
  })

  it('are an interruption after Ctrl-C, whatever failed because of it', () => {
    expect(describeError(new Error('socket closed'), 'it starts anew')).toMatchObject({
      kind: 'interrupted',
      hint: 'Run the same command again: it starts anew',
    })
    const aborted = Object.assign(new Error('aborted'), { name: 'AbortError' })
    expect(describeError(aborted)).toMatchObject({ kind: 'interrupted', message: 'interrupted' })
  })

  it("have the exit codes of the README's table", () => {
    expect(EXIT_CODES).toEqual({
      failed: 1,
      usage: 2,
      'not-found': 3,
      denied: 4,
      network: 5,
      corrupt: 6,
      interrupted: 130,
    })
  })
})
