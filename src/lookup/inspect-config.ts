import type { Platform } from '../content/descriptor.js'
import { type Digest, isDigest } from '../content/digest.js'
import { badShape, isObject, parseJson } from '../content/manifest.js'

/** How containers of an image start (image-spec, Image Configuration, config). What is not set is absent. */
export interface RunConfig {
  user?: string
  /** `NAME=value`, in the order of the config. */
  env?: readonly string[]
  entrypoint?: readonly string[]
  cmd?: readonly string[]
  workingDir?: string
  labels?: Readonly<Record<string, string>>
  /** `80/tcp`. */
  exposedPorts?: readonly string[]
  volumes?: readonly string[]
  stopSignal?: string
  healthcheck?: Healthcheck
}

/** Docker's check whether a container works. */
export interface Healthcheck {
  /** `NONE`; or `CMD` or `CMD-SHELL` with the command. */
  test: readonly string[]
  /** Between two checks. Absent when it is the engine's default, as are the others. */
  intervalMs?: number
  timeoutMs?: number
  startPeriodMs?: number
  retries?: number
}

/** One step by which an image was made (image-spec, Image Configuration, history). */
export interface HistoryEntry {
  /** As the config has it, if it is a date. */
  created?: string
  createdBy?: string
  comment?: string
  /** It made no layer. Absent otherwise. */
  emptyLayer?: true
}

/** What an image's config says. */
export interface ReadConfig {
  platform?: Platform
  /** As the config has it, if it is a date. */
  created?: string
  author?: string
  config: RunConfig
  /** From the base up. One that is no digest is undefined, so that the others keep their places. */
  diffIDs: readonly (Digest | undefined)[]
  history: readonly HistoryEntry[]
}

/**
 * Reads an image's config for people to see. Each field is taken if it is of the right type, and left out if it is not:
 * an image that no engine would start can still be looked at.
 *
 * @param what for messages: `config sha256:… of image.tar`
 * @throws ContentError `bad-json`, or `bad-shape` when it is no object
 */
export function readImageConfig(bytes: Uint8Array, what: string): ReadConfig {
  const document = parseJson(bytes, what)
  if (!isObject(document)) throw badShape(what, 'is not an object')
  const platform = platformOf(document)
  const rootfs = isObject(document.rootfs) ? document.rootfs : {}
  return defined({
    platform,
    created: date(document.created),
    author: text(document.author),
    config: runConfig(isObject(document.config) ? document.config : {}),
    diffIDs: list(rootfs.diff_ids).map(id => (typeof id === 'string' && isDigest(id) ? id : undefined)),
    history: list(document.history).map(historyEntry),
  })
}

function platformOf(document: Record<string, unknown>): Platform | undefined {
  const [os, architecture] = [text(document.os), text(document.architecture)]
  if (os === undefined || architecture === undefined) return undefined
  const features = strings(document['os.features'])
  return defined({
    os,
    architecture,
    variant: text(document.variant),
    'os.version': text(document['os.version']),
    'os.features': features,
  })
}

function runConfig(config: Record<string, unknown>): RunConfig {
  return defined({
    user: text(config.User),
    env: strings(config.Env),
    entrypoint: strings(config.Entrypoint),
    cmd: strings(config.Cmd),
    workingDir: text(config.WorkingDir),
    labels: stringMap(config.Labels),
    exposedPorts: keys(config.ExposedPorts),
    volumes: keys(config.Volumes),
    stopSignal: text(config.StopSignal),
    healthcheck: healthcheck(config.Healthcheck),
  })
}

function healthcheck(value: unknown): Healthcheck | undefined {
  const test = isObject(value) ? strings(value.Test) : undefined
  if (!isObject(value) || test === undefined) return undefined
  return defined({
    test,
    intervalMs: milliseconds(value.Interval),
    timeoutMs: milliseconds(value.Timeout),
    startPeriodMs: milliseconds(value.StartPeriod),
    retries: count(value.Retries),
  })
}

function historyEntry(value: unknown): HistoryEntry {
  if (!isObject(value)) return {}
  return defined({
    created: date(value.created),
    createdBy: text(value.created_by),
    comment: text(value.comment),
    emptyLayer: value.empty_layer === true ? (true as const) : undefined,
  })
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** A command may be a single text where it is a list elsewhere. */
function strings(value: unknown): string[] | undefined {
  const found = (typeof value === 'string' ? [value] : list(value)).filter(item => typeof item === 'string')
  return found.length > 0 ? found : undefined
}

/** Ports and volumes are the names of empty objects; a list of names is as clear. */
function keys(value: unknown): string[] | undefined {
  if (Array.isArray(value)) return strings(value)
  const names = isObject(value) ? Object.keys(value) : []
  return names.length > 0 ? names : undefined
}

function stringMap(value: unknown): Record<string, string> | undefined {
  const pairs = Object.entries(isObject(value) ? value : {}).filter(
    (pair): pair is [string, string] => typeof pair[1] === 'string',
  )
  return pairs.length > 0 ? Object.fromEntries(pairs) : undefined
}

function date(value: unknown): string | undefined {
  return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? value : undefined
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0 ? value : undefined
}

/** Docker counts in nanoseconds. */
function milliseconds(value: unknown): number | undefined {
  const whole = count(value)
  return whole === undefined ? undefined : whole / 1_000_000
}

type Defined<T> = { [K in keyof T as undefined extends T[K] ? never : K]: T[K] } & {
  [K in keyof T as undefined extends T[K] ? K : never]?: Exclude<T[K], undefined>
}

/** The object without the fields that are undefined. */
function defined<T extends object>(fields: T): Defined<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Defined<T>
}
