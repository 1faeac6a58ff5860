import type { ErrorKind } from '../errors.js'

/** What is looked at, in the order in which it is told. */
export type CheckName =
  | 'name'
  | 'proxy'
  | 'port'
  | 'transport'
  | 'certificate'
  | 'mirrors'
  | 'api'
  | 'clock'
  | 'login'
  | 'credentials'
  | 'pull'
  | 'push'
  | 'referrers'
  | 'rate-limit'

/** One thing that was found. Its text is made safe by whoever shows it: it may hold a server's words. */
export interface CheckFinding {
  readonly check: CheckName
  /** `problem`: the registry can't be used like this. `warning`: it can, and something is worth knowing. */
  readonly state: 'ok' | 'warning' | 'problem'
  readonly message: string
  /** What to do about it, in one sentence. */
  readonly advice?: string | undefined
  /** Only of problems: decides the exit code. */
  readonly kind?: ErrorKind
}

/** Something is as it should be, or needs no more than to be known. */
export function fine(check: CheckName, message: string): CheckFinding {
  return { check, state: 'ok', message }
}

/** Something is worth knowing. */
export function warning(check: CheckName, message: string, advice?: string): CheckFinding {
  return { check, state: 'warning', message, advice }
}

/** Something keeps the registry from being used. */
export function problem(check: CheckName, kind: ErrorKind, message: string, advice?: string): CheckFinding {
  return { check, state: 'problem', message, advice, kind }
}
