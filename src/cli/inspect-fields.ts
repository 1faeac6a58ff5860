import { type Healthcheck, type InspectedImage, printable } from '../index.js'
import { pad, wrap } from './display-width.js'
import { ellipsis, type ScreenShape } from './inspect-layers.js'
import { formatBytes } from './progress/bytes.js'

/** A field with its values, each on a line of its own. */
export type Field = readonly [label: string, values: readonly (string | undefined)[]]

/** The most lines that one value takes: the whole of it is in the JSON document. */
const MAXIMUM_LINES = 3

/**
 * The label once, and the values below each other in a column. Values that are empty are left out, and then the field.
 *
 * @param labels width of the column of labels; as wide as needed when not given
 */
export function fieldLines(fields: readonly Field[], shape: ScreenShape, labels = 0): string[] {
  const shown = fields
    .map(([label, values]) => [label, values.filter(value => value !== undefined && value !== '')] as const)
    .filter(([, values]) => values.length > 0)
  const labelWidth = labels || shown.reduce((most, [label]) => Math.max(most, label.length), 0) + 2
  const room = Math.max(20, shape.width - labelWidth)
  return shown.flatMap(([label, values]) =>
    values
      .flatMap(value => valueLines(printable(value ?? ''), room, shape))
      .map((line, position) => pad(position === 0 ? label : '', labelWidth) + line),
  )
}

/** A digest or a name is for copying: the terminal may break it, we don't. */
function valueLines(value: string, room: number, shape: ScreenShape): string[] {
  if (/^\S{1,80}$/.test(value)) return [value]
  return wrap(value, room, MAXIMUM_LINES, ellipsis(shape.style))
}

/** What the config of an image says of how it is run. */
export function configFields({ config, annotations }: InspectedImage): Field[] {
  const { entrypoint, cmd, healthcheck } = config
  return [
    ['User', [config.user]],
    ['Workdir', [config.workingDir]],
    ['Entrypoint', [entrypoint && shellWords(entrypoint)]],
    ['Cmd', [cmd && shellWords(cmd)]],
    ['Env', config.env ?? []],
    ['Ports', [config.exposedPorts?.join(', ')]],
    ['Volumes', config.volumes ?? []],
    ['Stop signal', [config.stopSignal]],
    ['Healthcheck', [healthcheck && describeHealthcheck(healthcheck)]],
    ['Labels', pairs(config.labels)],
    ['Annotations', pairs(annotations)],
  ]
}

/** `name=value`, in alphabetical order. */
export function pairs(map: Readonly<Record<string, string>> | undefined): string[] {
  const names = Object.keys(map ?? {}).sort()
  return names.map(name => `${name}=${map?.[name]}`)
}

/** A command as one would type it. */
function shellWords(words: readonly string[]): string {
  return words
    .map(printable)
    .map(word => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`))
    .join(' ')
}

function describeHealthcheck({ test, ...times }: Healthcheck): string {
  const [kind, ...words] = test
  if (kind === 'NONE') return 'none'
  const command = kind === 'CMD-SHELL' ? words.join(' ') : shellWords(kind === 'CMD' ? words : test)
  const notes = [
    times.intervalMs !== undefined && `every ${seconds(times.intervalMs)}`,
    times.timeoutMs !== undefined && `timeout ${seconds(times.timeoutMs)}`,
    times.startPeriodMs !== undefined && `start ${seconds(times.startPeriodMs)}`,
    times.retries !== undefined && `${times.retries} ${times.retries === 1 ? 'retry' : 'retries'}`,
  ].filter(note => note !== false)
  return notes.length === 0 ? command : `${command} (${notes.join(', ')})`
}

function seconds(milliseconds: number): string {
  return `${Number((milliseconds / 1000).toFixed(3))}s`
}

/** `12.3MB, 30MB uncompressed`. */
export function describeSize({ size, uncompressedSize, layers }: InspectedImage): string {
  if (layers.length === 0) return `${formatBytes(size)}, without layers`
  if (uncompressedSize === undefined) return `${formatBytes(size)} compressed`
  if (uncompressedSize === size) return `${formatBytes(size)} uncompressed`
  return `${formatBytes(size)} compressed, ${formatBytes(uncompressedSize)} uncompressed`
}

/** Builds that shall be repeatable set their date to one of the first, which says nothing; Go's date of nothing is the year 1. */
const FIRST_TRUE_DATE = Date.UTC(1981, 0)

/** `2024-05-01 12:00 UTC (2 years ago)`. */
export function describeDate(created: string | undefined, now: Date): string | undefined {
  const date = new Date(created ?? '')
  if (Number.isNaN(date.getTime()) || date.getUTCFullYear() <= 1) return undefined
  const minute = `${date.toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return date.getTime() < FIRST_TRUE_DATE ? minute : `${minute} (${relativeTime(date, now)})`
}

const UNITS: readonly (readonly [name: string, seconds: number])[] = [
  ['year', 365.25 * 86_400],
  ['month', 30.44 * 86_400],
  ['week', 7 * 86_400],
  ['day', 86_400],
  ['hour', 3600],
  ['minute', 60],
]

function relativeTime(date: Date, now: Date): string {
  const passed = (now.getTime() - date.getTime()) / 1000
  if (passed < -60) return 'in the future'
  const unit = UNITS.find(([, length]) => passed >= length)
  if (unit === undefined) return 'just now'
  const count = Math.floor(passed / unit[1])
  return `${count} ${unit[0]}${count === 1 ? '' : 's'} ago`
}
