import { Errors } from '@oclif/core'
import { type ErrorKind, explainDiskError, printable, RegctlError } from '../index.js'
import { EXIT_CODES } from './exit-codes.js'

/** What a system says of a disk rather than of a file. */
const DISK_CODES = new Set(['ENOSPC', 'EDQUOT', 'EROFS'])

/** An error as it is shown, and as `--json` gives it. */
export interface ErrorReport {
  kind: ErrorKind
  code: string
  message: string
  hint?: string
}

/**
 * What to tell of anything that was thrown. An error that we don't know is a mistake of ours, and says so.
 *
 * @param interrupted what the same command does when it is run again, where the user has stopped it; else false
 */
export function describeError(error: unknown, interrupted: string | false = false): ErrorReport {
  if (interrupted !== false || (error instanceof Error && error.name === 'AbortError')) {
    const hint = `Run the same command again${interrupted === false ? '' : `: ${interrupted}`}`
    return { kind: 'interrupted', code: 'interrupted', message: 'interrupted', hint }
  }
  if (error instanceof RegctlError) {
    const { kind, code, message, hint } = error
    return {
      kind,
      code,
      message: printable(withoutOclif(message)),
      ...(hint !== undefined && { hint: printable(hint) }),
    }
  }
  if (error instanceof Errors.CLIError) {
    return {
      kind: 'usage',
      code: 'usage',
      message: printable(firstLine(error.message)),
      hint: 'Run `regctl --help`, or `regctl COMMAND --help`',
    }
  }
  const message = error instanceof Error ? error.message : String(error)
  if (isSystemError(error) && DISK_CODES.has(error.code))
    return describeError(explainDiskError(error, error.path ?? 'what was being written'))
  if (isSystemError(error))
    return { kind: systemKind(error.code), code: error.code.toLowerCase(), message: printable(message) }
  return {
    kind: 'failed',
    code: 'unexpected',
    message: `unexpected: ${printable(message)}`,
    hint: 'This is a mistake in regctl: run again with `--debug` and report what it prints',
  }
}

/** Prints an error in its two lines and returns the exit code. The stack comes only with `debug`. */
export function printError(
  error: unknown,
  options: { debug: boolean; interrupted?: string | false },
): number {
  process.stderr.write(errorLines(error, options.interrupted))
  if (options.debug) {
    for (let cause = error; cause instanceof Error; cause = cause.cause)
      process.stderr.write(`${cause.stack}\n`)
  }
  return EXIT_CODES[describeError(error, options.interrupted).kind]
}

/** An error in one line, and its hint in another. */
export function errorLines(error: unknown, interrupted: string | false = false): string {
  const { message, hint } = describeError(error, interrupted)
  return `error: ${message}\n${hint === undefined ? '' : `hint: ${hint}\n`}`
}

/** oclif puts the flag before the words of what parses its value, and its help after them. */
function withoutOclif(message: string): string {
  return message.replace(/^Parsing (--\S+)\s+(.*?)\s*(?:\nSee more help with --help)?$/s, '$1: $2')
}

/** oclif puts the usage below the first line, or the flags that are wrong on lines of their own. */
function firstLine(message: string): string {
  const lines = message.split('\n').map(line => line.trim())
  return lines
    .slice(0, lines.findIndex(line => line === '' || line.startsWith('See more help')) >>> 0)
    .join(' ')
}

function isSystemError(error: unknown): error is NodeJS.ErrnoException & { code: string } {
  return error instanceof Error && typeof (error as NodeJS.ErrnoException).syscall === 'string'
}

function systemKind(code: string): ErrorKind {
  return code === 'ENOENT' ? 'not-found' : 'failed'
}
