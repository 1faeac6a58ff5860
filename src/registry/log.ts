import { performance } from 'node:perf_hooks'
import { messageOf } from '../errors.js'
import { sanitize } from './error-body.js'
import type { Secrets } from './secrets.js'
import type { Send } from './send.js'
import { displayUrl } from './urls.js'

/**
 * Writes one line for each exchange: method, URL without its query, status and time. Headers are left out, so no secret
 * can be among them (rule R219).
 */
export function withLog(next: Send, write: ((line: string) => void) | undefined, secrets: Secrets): Send {
  if (write === undefined) return next
  const log = (line: string) => write(secrets.redact(line))
  return async request => {
    const started = performance.now()
    const auth = request.headers.authorization?.split(' ')[0]
    const what = `${request.method} ${request.url.protocol}//${displayUrl(request.url)}${auth === undefined ? '' : ` (${auth})`}`
    const took = () => `${Math.round(performance.now() - started)} ms`
    try {
      const response = await next(request)
      log(`${what} ${response.status} in ${took()}`)
      return response
    } catch (error) {
      log(`${what} failed in ${took()}: ${sanitize(messageOf(error))}`)
      throw error
    }
  }
}
