import { Flags } from '@oclif/core'
import { RegctlError } from '../index.js'

const UNITS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 }

/**
 * Reads a length of time: seconds, or a number with its unit: `90`, `90s`, `2m`, `1h`, `0.5s`.
 *
 * @returns milliseconds
 * @throws RegctlError of kind `usage`
 */
export function parseDuration(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)([smh]?)$/.exec(text) ?? []
  const milliseconds = Number(number) * (UNITS[unit === '' ? 's' : unit] ?? Number.NaN)
  if (Number.isFinite(milliseconds)) return milliseconds
  throw new RegctlError(`${text} is no length of time`, {
    kind: 'usage',
    code: 'bad-duration',
    hint: 'Give seconds, or a number with s, m or h: 90, 90s, 2m',
  })
}

/** A flag that takes a length of time, as milliseconds. */
export const durationFlag = Flags.custom<number>({
  helpValue: 'DURATION',
  parse: async text => parseDuration(text),
})
