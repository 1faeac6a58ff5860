import { errorBody, type Fault, HTML_TYPE, instead, JSON_TYPE } from './fault.js'

const HTML = (title: string) =>
  `<html><head><title>${title}</title></head><body><h1>${title}</h1></body></html>`
const json = (status: number, code: string, headers: Record<string, string> = {}): Fault =>
  instead(status, { ...JSON_TYPE, ...headers }, errorBody(code))
const unauthorized = (...challenges: string[]): Fault =>
  instead(401, { ...JSON_TYPE, 'www-authenticate': challenges }, errorBody('UNAUTHORIZED'))
const limited = (headers: Record<string, string> = {}): Fault => json(429, 'TOOMANYREQUESTS', headers)

/** Answers with another status than the right one, to a request that had no effect. */
export const STATUS_FAULTS = {
  '401-without-challenge': instead(401, JSON_TYPE, errorBody('UNAUTHORIZED')),
  '401-basic': unauthorized('Basic realm="faulty"'),
  '401-unknown-scheme': unauthorized('Negotiate'),
  '401-malformed-challenge': unauthorized('Bearer realm="http://x'),
  '401-several-challenges': unauthorized('Negotiate', 'Basic realm="faulty", Digest realm="faulty"'),
  '403': json(403, 'DENIED'),
  '404-json': json(404, 'NAME_UNKNOWN'),
  '404-html': instead(404, HTML_TYPE, HTML('404 Not Found')),
  '404-empty': instead(404),
  '405': json(405, 'UNSUPPORTED'),
  '406': instead(406, HTML_TYPE, HTML('406 Not Acceptable')),
  '408': instead(408, HTML_TYPE, HTML('408 Request Time-out')),
  '412': json(412, 'DENIED'),
  '413': instead(413, HTML_TYPE, HTML('413 Request Entity Too Large')),
  '416-with-range': json(416, 'RANGE_INVALID', { range: '0-0', 'content-range': 'bytes */1' }),
  '416-without-range': json(416, 'RANGE_INVALID'),
  '429-retry-after-seconds': limited({ 'retry-after': '7' }),
  '429-retry-after-date': async exchange =>
    await limited({ 'retry-after': new Date(Date.now() + 8_500).toUTCString() })(exchange),
  '429-without-retry-after': limited(),
  '429-retry-after-huge': limited({ 'retry-after': '86400' }),
  '499': instead(499),
  '500': json(500, 'UNKNOWN'),
  '502-html': instead(502, HTML_TYPE, HTML('502 Bad Gateway')),
  '503': instead(503, { 'retry-after': '0' }),
  '504': instead(504, HTML_TYPE, HTML('504 Gateway Time-out')),
} satisfies Record<string, Fault>
