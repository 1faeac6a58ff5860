import { lookup } from 'node:dns'
import { BlockList, isIP, isIPv6, type LookupFunction } from 'node:net'

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8, 'ipv4')
loopback.addAddress('::1', 'ipv6')

/** Addresses that no public server has business to send us to (rule R216). IPv4 ranges also match when mapped to IPv6. */
const internal = new BlockList()
for (const [address, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  internal.addSubnet(address, bits, 'ipv4')
}
for (const [address, bits] of [
  ['::', 128],
  ['::1', 128],
  ['64:ff9b::', 96],
  ['fc00::', 7],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  internal.addSubnet(address, bits, 'ipv6')
}

function isIn(list: BlockList, hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  if (isIP(address) === 0) return false
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
}

/** Whether a host is a loopback address or the name `localhost`. Takes the `hostname` of a URL. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || isIn(loopback, hostname)
}

/** Whether a host is a private, loopback, link-local, unspecified or multicast address, or `localhost`. */
export function isInternal(hostname: string): boolean {
  return isLoopback(hostname) || isIn(internal, hostname)
}

/** The code of the error with which {@link guardLookup} refuses. */
export const INTERNAL_ADDRESS_CODE = 'ERR_INTERNAL_ADDRESS'

/**
 * Resolves names for servers that a registry pointed us to, and refuses a name with an internal address: the check of
 * the URL alone would miss it (rule R216).
 */
export function guardLookup(resolve: LookupFunction = lookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, options, (error, address, family) => {
      if (error === null) {
        const addresses = typeof address === 'string' ? [address] : address.map(entry => entry.address)
        const found = addresses.find(isInternal)
        if (found !== undefined) {
          const refusal: NodeJS.ErrnoException = new Error(
            `${hostname} resolves to the internal address ${found}`,
          )
          refusal.code = INTERNAL_ADDRESS_CODE
          callback(refusal, address, family)
          return
        }
      }
      callback(error, address, family)
    })
  }
}
