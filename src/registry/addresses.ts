import { lookup } from 'node:dns'
import { BlockList, type LookupFunction } from 'node:net'
import { ipVersion, isLoopbackAddress } from '../config/ip-version.js'

const LOOPBACK = [
  ['127.0.0.0', 8, 'ipv4'],
  ['::1', 128, 'ipv6'],
] as const

/** Addresses that no public server has business to send us to (rule R216). IPv4 ranges also match when mapped to IPv6. */
const INTERNAL = [
  ['0.0.0.0', 8, 'ipv4'],
  ['10.0.0.0', 8, 'ipv4'],
  ['100.64.0.0', 10, 'ipv4'],
  ['127.0.0.0', 8, 'ipv4'],
  ['169.254.0.0', 16, 'ipv4'],
  ['172.16.0.0', 12, 'ipv4'],
  ['192.0.0.0', 24, 'ipv4'],
  ['192.168.0.0', 16, 'ipv4'],
  ['198.18.0.0', 15, 'ipv4'],
  ['224.0.0.0', 4, 'ipv4'],
  ['240.0.0.0', 4, 'ipv4'],
  ['::', 128, 'ipv6'],
  ['::1', 128, 'ipv6'],
  ['64:ff9b::', 96, 'ipv6'],
  ['fc00::', 7, 'ipv6'],
  ['fe80::', 10, 'ipv6'],
  ['ff00::', 8, 'ipv6'],
] as const

type Range = readonly [address: string, bits: number, family: 'ipv4' | 'ipv6']

/** Lists are made when they are asked for: most runs need none. */
const lists = new Map<readonly Range[], BlockList>()

function listOf(ranges: readonly Range[]): BlockList {
  const known = lists.get(ranges)
  if (known !== undefined) return known
  const list = new BlockList()
  for (const [address, bits, family] of ranges) list.addSubnet(address, bits, family)
  lists.set(ranges, list)
  return list
}

function isIn(ranges: readonly Range[], hostname: string): boolean {
  const address = hostname.replace(/^\[|\]$/g, '')
  const version = ipVersion(address)
  return version !== 0 && listOf(ranges).check(address, version === 6 ? 'ipv6' : 'ipv4')
}

/** Whether a host is a loopback address or the name `localhost`. Takes the `hostname` of a URL. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return true
  return isLoopbackAddress(hostname) || isIn(LOOPBACK, hostname)
}

/** Whether a host is a private, loopback, link-local, unspecified or multicast address, or `localhost`. */
export function isInternal(hostname: string): boolean {
  return isLoopback(hostname) || isIn(INTERNAL, hostname)
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
