import { Readable } from 'node:stream'
import type { Descriptor } from '../content/descriptor.js'
import type { Digest } from '../content/digest.js'
import type { Context } from '../content/store.js'
import { type RepositoryAccess, responseError, sendTo } from './access.js'
import { RegistryError } from './registry-error.js'
import {
  contentLengthOf,
  discard,
  headerOf,
  isSuccess,
  type RegistryRequest,
  type RegistryResponse,
} from './send.js'

const IDENTITY = { 'accept-encoding': 'identity' }

/** What a HEAD said about a blob. `unknown` when the registry doesn't answer HEAD (rule R31). */
export type BlobStatus = { state: 'present'; size: number | undefined } | { state: 'absent' | 'unknown' }

/** Asks for a blob by HEAD (distribution-spec, Checking if content exists in the registry). */
export async function headBlob(
  repository: RepositoryAccess,
  digest: Digest,
  access: 'pull' | 'push',
  context: Context,
): Promise<BlobStatus> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `check for blob ${digest} in ${repository.label}`,
      method: 'HEAD',
      target: `blobs/${digest}`,
      access,
      headers: IDENTITY,
    },
    context,
  )
  discard(response)
  if (response.status === 200) return { state: 'present', size: contentLengthOf(response) }
  if (response.status === 404) return { state: 'absent' }
  if (response.status >= 500 || response.status === 429) throw responseError(request, response)
  return { state: 'unknown' }
}

/** The size of a blob; undefined when it is not there. Asks by GET where HEAD tells too little. */
export async function statBlob(
  repository: RepositoryAccess,
  digest: Digest,
  context: Context,
): Promise<number | undefined> {
  const status = await headBlob(repository, digest, 'pull', context)
  if (status.state === 'absent') return undefined
  if (status.state === 'present' && status.size !== undefined) return status.size
  const { request, response } = await requestBlob(repository, digest, 0, context)
  response.body.on('error', () => {}).destroy()
  if (response.status === 404) return undefined
  const size = contentLengthOf(response)
  if (response.status !== 200 || size === undefined) throw responseError(request, response)
  return size
}

/**
 * Opens a blob from a byte offset on (distribution-spec, Pulling blobs; rules R32 to R36). A registry that ignores the
 * range sends all of it, and the start is thrown away.
 *
 * @returns the bytes as they come, not verified; the caller destroys the stream when it stops early
 */
export async function openBlobOnce(
  repository: RepositoryAccess,
  descriptor: Descriptor,
  context: Context,
  from: number,
): Promise<Readable> {
  if (from > 0 && from >= descriptor.size) return Readable.from([])
  const { request, response } = await requestBlob(repository, descriptor.digest, from, context)
  return contentFrom(request, response, from)
}

/** The bytes of an answer from an offset on, whether or not the server heeded the range (rules R35, R36). */
export function contentFrom(request: RegistryRequest, response: RegistryResponse, from: number): Readable {
  if (response.status === 206 && from > 0) {
    checkRange(request, response, from)
    return response.body
  }
  if (response.status !== 200) {
    discard(response)
    throw responseError(request, response, { missing: 'the blob was' })
  }
  return from === 0 ? response.body : Readable.from(withoutStart(response.body, from), { objectMode: false })
}

async function requestBlob(repository: RepositoryAccess, digest: Digest, from: number, context: Context) {
  return await sendTo(
    repository,
    {
      operation: `pull of blob ${digest} from ${repository.label}`,
      method: 'GET',
      target: `blobs/${digest}`,
      access: 'pull',
      headers: from > 0 ? { ...IDENTITY, range: `bytes=${from}-` } : IDENTITY,
    },
    context,
  )
}

function checkRange(request: RegistryRequest, response: RegistryResponse, from: number): void {
  const range = headerOf(response, 'content-range') ?? ''
  const start = /^bytes (\d+)-\d+\/(?:\d+|\*)$/.exec(range)?.[1]
  if (start !== undefined && Number(start) === from) return
  response.body.on('error', () => {}).destroy()
  throw new RegistryError(request.operation, {
    kind: 'network',
    code: 'bad-range',
    method: request.method,
    url: response.url,
    status: response.status,
    outcome: `answered 206 with another range than the one from byte ${from} on`,
  })
}

async function* withoutStart(body: Readable, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of body as AsyncIterable<Buffer>) {
    if (left >= chunk.length) left -= chunk.length
    else {
      yield left === 0 ? chunk : chunk.subarray(left)
      left = 0
    }
  }
}

/** Removes a blob (distribution-spec, Deleting Blobs); false when there was none. */
export async function deleteBlob(
  repository: RepositoryAccess,
  digest: Digest,
  context: Context,
): Promise<boolean> {
  const { request, response } = await sendTo(
    repository,
    {
      operation: `deletion of blob ${digest} from ${repository.label}`,
      method: 'DELETE',
      target: `blobs/${digest}`,
      access: 'delete',
    },
    context,
  )
  discard(response)
  if (isSuccess(response.status)) return true
  if (response.status === 404) return response.attempts > 1
  throw responseError(request, response)
}
