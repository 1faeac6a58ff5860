import { Flags } from '@oclif/core'
import { RegctlError } from '../index.js'

const KIB = 1024
/** As they are written, in lower case: `KiB` and `k` are 1024, `kB` is 1000. */
const UNITS: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  k: KIB,
  kib: KIB,
  kb: 1000,
  m: KIB ** 2,
  mib: KIB ** 2,
  mb: 1000 ** 2,
  g: KIB ** 3,
  gib: KIB ** 3,
  gb: 1000 ** 3,
}

/**
 * Reads a number of bytes: `65536`, `512KiB`, `8MiB`, `8M`, `1.5MB`.
 *
 * @returns whole bytes
 * @throws RegctlError of kind `usage`
 */
export function parseByteSize(text: string, leastBytes: number): number {
  const [, number, unit = ''] = /^(\d{1,15}(?:\.\d{1,9})?)([a-z]{0,3})$/i.exec(text) ?? []
  const bytes = Math.round(Number(number) * (UNITS[unit.toLowerCase()] ?? Number.NaN))
  if (bytes >= leastBytes && Number.isSafeInteger(bytes)) return bytes
  const isTooSmall = bytes < leastBytes
  throw new RegctlError(isTooSmall ? `${text} is too small` : `${text} is no size`, {
    kind: 'usage',
    code: 'bad-size',
    hint: isTooSmall
      ? `Give at least ${leastBytes / KIB}KiB`
      : 'Give bytes, or a number with KiB, MiB or GiB',
  })
}

/** A flag that takes a size, as bytes. Its `min` is in bytes as well. */
export const byteSizeFlag = Flags.custom<number, { min: number }>({
  helpValue: 'SIZE',
  parse: async (text, _context, { min }) => parseByteSize(text, min),
})
