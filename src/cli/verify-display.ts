import { type Comparison, type Finding, printable, type Verified } from '../index.js'
import { formatBytes } from './progress/bytes.js'

/** A finding as a line: what, and where it belongs. */
export function findingLine({ type, message, what, size }: Finding): string {
  const place = [what, size === undefined ? '' : formatBytes(size)].filter(part => part !== '').join(', ')
  const note = type === 'note' ? 'note: ' : ''
  return `${note}${printable(message)}${place === '' ? '' : ` (${printable(place)})`}\n`
}

/** The last line of a verification. */
export function verifiedLine({ manifests, blobs, bytes, problems, unknown }: Verified): string {
  if (problems > 0) return `${counted(problems, 'problem')}\n`
  const parts = [counted(blobs, 'blob'), formatBytes(bytes)]
  if (manifests > 0) parts.unshift(counted(manifests, 'manifest'))
  if (unknown > 0) parts.push(`${unknown} of unknown size`)
  return `ok: ${parts.join(', ')}\n`
}

function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`
}

/** A comparison in lines: each difference, then the result. */
export function comparisonLines({ result, differences, platforms }: Comparison): string {
  const lines = differences.map(({ kind, platform, what, message }) => {
    const words = [kind === 'packaging' ? 'packaging: ' : '', platform === undefined ? '' : `${platform}: `]
    return `${words.join('')}${NAMES[what] ?? what}: ${message}`
  })
  const list = platforms.filter(platform => platform !== '').join(', ')
  const end = `${RESULTS[result]}${result === 'different' || list === '' ? '' : `: ${list}`}`
  return [...lines, end].map(line => `${printable(line)}\n`).join('')
}

const NAMES: Partial<Record<string, string>> = { 'media-type': 'manifest type', compression: 'layers' }
const RESULTS = {
  identical: 'identical',
  'same-image': 'the same image in another packaging',
  different: 'different images',
} as const
