import type { Chunks } from '../content/chunks.js'
import { ContentError } from '../content/content-error.js'
import { readLimited } from '../content/verify.js'
import { ERROR_BODY_LIMIT_BYTES } from './error-body.js'
import type { ResponseBody } from './response-body.js'
import { contentLengthOf, isSuccess, type Send } from './send.js'

/** A body that was read already. It can be read again and again, where a stream is made for each. */
const NOTHING: ResponseBody = {
  [Symbol.asyncIterator]: () => ({ next: async () => ({ done: true, value: undefined }) }),
  destroy: () => {},
}

const NO_BYTES = Buffer.from('')

/**
 * Reads bodies into memory where that was asked for, and the start of every error's body. It lies below the retries, so
 * that a body which breaks off is asked for again.
 *
 * @throws ContentError `too-large` when the content is longer than `collectLimitBytes`
 */
export function withCollectedBodies(next: Send): Send {
  return async request => {
    const response = await next(request)
    const limit = request.collectLimitBytes
    if (!isSuccess(response.status)) return { ...response, bytes: await readStart(response.body) }
    if (request.method === 'HEAD') {
      // Content-Length is that of the content, which does not come: read to the end, the connection can be used again.
      await readStart(response.body)
      return { ...response, body: NOTHING }
    }
    if (limit === undefined) return response
    const what = `the answer to ${request.operation}`
    const announced = contentLengthOf(response)
    if (announced !== undefined && announced > limit) {
      response.body.destroy()
      throw new ContentError(`${what} has ${announced} bytes; at most ${limit} are read`, {
        kind: 'corrupt',
        code: 'too-large',
      })
    }
    return { ...response, bytes: await readLimited(response.body, limit, what) }
  }
}

/** The start of an error's body. That it breaks off matters to nobody: the status is known. */
async function readStart(body: Chunks): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of body) {
      chunks.push(Buffer.from(chunk))
      size += chunk.length
      if (size >= ERROR_BODY_LIMIT_BYTES) break
    }
  } catch {
    // What has come is enough.
  }
  // Most have none: to put together nothing, Node would compile more than the answer takes.
  return chunks.length === 0 ? NO_BYTES : Buffer.concat(chunks).subarray(0, ERROR_BODY_LIMIT_BYTES)
}
