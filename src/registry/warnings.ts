import { sanitize } from './error-body.js'
import { headerValues, type Send } from './send.js'

const LIMIT_BYTES = 4096

/**
 * Passes the warnings of registries on as events: each once, and only so many in all (rule R15; distribution-spec,
 * Warnings). Nothing else changes.
 */
export function withWarnings(next: Send): Send {
  const seen = new Set<string>()
  let left = LIMIT_BYTES
  return async request => {
    const response = await next(request)
    for (const header of headerValues(response, 'warning')) {
      const text = parseWarning(header)
      if (text === undefined || seen.has(text) || text.length > left) continue
      seen.add(text)
      left -= text.length
      request.context.emit({ type: 'warning', message: `${request.endpoint.registry}: ${text}` })
    }
    return response
  }
}

/** The text of `299 - "text"`; undefined for other forms, and for text with control characters. */
export function parseWarning(header: string): string | undefined {
  const quoted = /^299 - "((?:[^"\\]|\\.)*)"$/.exec(header.trim())?.[1]
  const text = quoted?.replace(/\\(.)/g, '$1')
  return text === undefined || text === '' || sanitize(text) !== text.trim() ? undefined : text
}
