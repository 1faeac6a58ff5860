import { stat } from 'node:fs/promises'
import type { Writable } from 'node:stream'
import type { Digest } from '../content/digest.js'
import { CopyError } from '../copy/copy-error.js'
import { describeLocator, type ImageName, nameInFile } from '../open/archive-names.js'
import type { FileFormat, LocalLocator, Locator } from '../open/location.js'
import { formatFor, type OpenedSink, openSink } from '../open/open-sink.js'
import { labelOf } from '../open/open-source.js'
import type { RegistryClient } from '../registry/client.js'
import { AbsentSink } from './absent-sink.js'

/** Where a copy goes, opened; or why it can't be. */
export interface Destination {
  /** `host/repository`, or the path, as results have it. */
  place: string
  /** The `target` of its events. */
  label: string
  tags: readonly string[]
  /** Whether it takes single images only. */
  isSingle: boolean
  opened: OpenedSink | undefined
  error: unknown
}

interface DestinationOptions {
  client: RegistryClient
  stdout: Writable
  format?: FileFormat | undefined
  referrers?: boolean
  noOverwrite?: boolean
  dryRun?: boolean
  expectDigest?: Digest | undefined
  /** As for `openSink`. */
  cacheFolder?: string | undefined
}

/**
 * Checks that destinations make sense together, before anything is opened.
 *
 * @returns the digest that one of them, or the options, demand
 * @throws CopyError of kind `usage`: `digest-conflict`, `stdout-twice`, or `no-referrers` for a format without them
 */
export async function checkDestinations(
  to: readonly Locator[],
  options: Pick<DestinationOptions, 'format' | 'referrers' | 'expectDigest'>,
): Promise<Digest | undefined> {
  const usage = (message: string, code: string, hint?: string) =>
    new CopyError(message, { kind: 'usage', code, hint })
  const named = to.flatMap(locator => (locator.kind === 'registry' ? (locator.reference.digest ?? []) : []))
  const digests = new Set([...named, ...(options.expectDigest === undefined ? [] : [options.expectDigest])])
  if (digests.size > 1) throw usage('the destinations name different digests', 'digest-conflict')
  if (to.filter(locator => locator.kind === 'stdio').length > 1) {
    throw usage('standard output is named as a destination more than once', 'stdout-twice')
  }
  for (const locator of to) {
    if (options.referrers !== true || locator.kind === 'registry') continue
    const format = await formatFor(locator, options.format)
    if (format === 'oci' || format === 'oci-archive') continue
    throw usage(
      `the ${format} format has no room for referrers`,
      'no-referrers',
      'Write an OCI layout (`oci:FOLDER`) or an OCI archive (`--format oci-archive`)',
    )
  }
  return [...digests][0]
}

/**
 * Opens destinations. Tags of one repository become one destination; one that can't be opened has its error.
 *
 * @param brought the name that the image has at its source, for files whose locators state none
 */
export async function openDestinations(
  to: readonly Locator[],
  brought: ImageName,
  options: DestinationOptions,
): Promise<Destination[]> {
  const destinations: Destination[] = []
  for (const locator of to) {
    const place = labelOf(locator)
    const destination = await openDestination(locator, brought, options).catch(error => ({
      place,
      label: place,
      tags: [],
      isSingle: false,
      opened: undefined,
      error,
    }))
    const same = destinations.find(other => locator.kind === 'registry' && other.place === destination.place)
    if (same === undefined) destinations.push(destination)
    else same.tags = [...new Set([...same.tags, ...destination.tags])]
  }
  return destinations
}

async function openDestination(
  locator: Locator,
  brought: ImageName,
  options: DestinationOptions,
): Promise<Destination> {
  const place = labelOf(locator)
  const { client, stdout, cacheFolder } = options
  if (locator.kind === 'registry') {
    const opened = await openSink(locator, { client, stdout })
    const { tags, sink } = opened
    return { place, label: sink.label, tags, isSingle: false, opened, error: undefined }
  }
  const format = await formatFor(locator, options.format)
  if (options.noOverwrite === true) await refuseFile(locator, format)
  const stated = locator.kind === 'file' ? locator.image : undefined
  const { repository, tags } = nameInFile(stated, format, brought)
  // Only a layout shows what is there without a change to the disk.
  const opened =
    options.dryRun === true && format !== 'oci'
      ? absent(place)
      : await openSink(locator, { client, stdout, format, repository, cacheFolder })
  return {
    place,
    label: opened.sink.label,
    tags: format === 'dir' ? [] : tags,
    isSingle: format === 'docker-archive',
    opened,
    error: undefined,
  }
}

/** An archive is replaced as a whole, so the whole of it counts as what must not be overwritten. */
async function refuseFile(locator: LocalLocator, format: FileFormat): Promise<void> {
  if (locator.kind === 'stdio' || format === 'oci' || format === 'dir') return
  const status = await stat(locator.path).catch(() => undefined)
  if (status === undefined || !status.isFile()) return
  throw new CopyError(`${describeLocator(locator)} exists already`, {
    kind: 'failed',
    code: 'file-exists',
    hint: 'Name another file, or allow it to be overwritten',
  })
}

function absent(place: string): OpenedSink {
  const sink = new AbsentSink(place)
  return { sink, tags: [], [Symbol.asyncDispose]: () => sink[Symbol.asyncDispose]() }
}
