import { type Fault, headerOf, withHeaders } from './fault.js'

const OTHER_DIGEST = `sha256:${'0'.repeat(64)}`

/** Does what was asked, and says something else of the answer. */
export const HEADER_FAULTS = {
  'no-content-type': withHeaders(() => ({ 'content-type': undefined })),
  'wrong-content-type': withHeaders(() => ({ 'content-type': 'text/plain' })),
  'content-type-with-charset': withHeaders(answer => ({
    'content-type': `${headerOf(answer, 'content-type')}; charset=utf-8`,
  })),
  'no-digest': withHeaders(() => ({ 'docker-content-digest': undefined })),
  'wrong-digest': withHeaders(() => ({ 'docker-content-digest': OTHER_DIGEST })),
  'no-length': withHeaders(() => ({ 'content-length': undefined, connection: 'close' })),
  'head-length-0': withHeaders(() => ({ 'content-length': '0' })),
  'false-content-encoding': withHeaders(() => ({ 'content-encoding': 'gzip' })),
  'location-of-20-kib': withHeaders(answer => {
    const location = headerOf(answer, 'location')
    const separator = location.includes('?') ? '&' : '?'
    return { location: `${location}${separator}signature=${'x'.repeat(20 * 1024)}` }
  }),
  'link-loop': withHeaders(() => ({ link: `</v2/app/tags/list?page=2>; rel="next"` })),
  'link-to-other-host': withHeaders(() => ({
    link: '<http://other.test/v2/app/tags/list?page=2>; rel="next"',
  })),
} satisfies Record<string, Fault>
