import type { ErrorKind } from '../index.js'

/** The exit code of each kind of failure, as the README's table has it. */
export const EXIT_CODES: Record<ErrorKind, number> = {
  failed: 1,
  usage: 2,
  'not-found': 3,
  denied: 4,
  network: 5,
  corrupt: 6,
  interrupted: 130,
}
