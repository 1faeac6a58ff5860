import { isIPv4, isIPv6 } from 'node:net'

/**
 * The version of an IP address; 0 for a name. As `isIP` of Node, which tries each name as an address of version 6: to
 * compile that regular expression takes as long as a short command's own work.
 */
export function ipVersion(text: string): 0 | 4 | 6 {
  const colon = text.indexOf(':')
  if (colon < 0) return isIPv4(text) ? 4 : 0
  // One alone is before a port.
  return text.includes(':', colon + 1) && isIPv6(text) ? 6 : 0
}

/** Whether an address is one of this machine's own, `127.0.0.0/8` or `::1`, as it is usually written. */
export function isLoopbackAddress(text: string): boolean {
  return text === '::1' || (text.startsWith('127.') && isIPv4(text))
}
