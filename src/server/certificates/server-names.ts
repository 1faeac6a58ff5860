import { isIP } from 'node:net'
import { hostname } from 'node:os'
import { domainToASCII } from 'node:url'
import { RegctlError } from '../../errors.js'

/** How clients call a server. */
export type ServerName =
  | { kind: 'dns'; text: string }
  /** 4 or 16 bytes; the text is the usual short form. */
  | { kind: 'ip'; text: string; bytes: Buffer }

const LABEL = '[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?'
const DNS_NAME = new RegExp(`^(?:\\*\\.)?${LABEL}(?:\\.${LABEL})*$`)
const NAME_LIMIT = 253

/**
 * The names of a server on this machine: those of the loopback, the machine's own, the address that it listens on,
 * and more, each once.
 *
 * @param listenHost left out when it stands for all addresses of the machine (`0.0.0.0`, `::`)
 * @param more as {@link parseServerName} takes them
 * @throws RegctlError `bad-server-name`
 */
export function serverNames(
  listenHost: string,
  more: readonly string[] = [],
): readonly [ServerName, ...ServerName[]] {
  const names = new Map<string, ServerName>()
  const add = (name: ServerName | undefined) => {
    if (name !== undefined && !names.has(name.text)) names.set(name.text, name)
  }
  const loopback: ServerName = { kind: 'dns', text: 'localhost' }
  for (const text of ['127.0.0.1', '::1']) add(readName(text))
  // The machine may be called anything, also what can't be in a certificate.
  add(readName(hostname()))
  const listening = readName(listenHost)
  if (listening?.kind !== 'ip' || listening.bytes.some(byte => byte !== 0)) add(listening)
  for (const text of more) add(parseServerName(text))
  names.delete(loopback.text)
  return [loopback, ...names.values()]
}

/**
 * Reads a DNS name, which may begin with `*.` and may have letters of any language, or an IP address.
 *
 * @throws RegctlError `bad-server-name`
 */
export function parseServerName(text: string): ServerName {
  const name = readName(text)
  if (name !== undefined) return name
  throw new RegctlError(`"${text}" is no name of a server`, {
    kind: 'usage',
    code: 'bad-server-name',
    hint: 'Write a DNS name or an IP address, without a port',
  })
}

function readName(text: string): ServerName | undefined {
  const version = isIP(text)
  if (version === 4) return { kind: 'ip', text, bytes: Buffer.from(text.split('.').map(Number)) }
  if (version === 6 && !text.includes('%')) {
    const short = new URL(`http://[${text}]`).hostname.slice(1, -1)
    return { kind: 'ip', text: short, bytes: ipv6Bytes(short) }
  }
  const [prefix, rest] = text.startsWith('*.') ? ['*.', text.slice(2)] : ['', text]
  const ascii = `${prefix}${domainToASCII(rest)}`
  // A number is read as an address, as in URLs; who means one writes it as such.
  const isName = ascii.length <= NAME_LIMIT && DNS_NAME.test(ascii) && isIP(ascii) === 0
  return isName ? { kind: 'dns', text: ascii } : undefined
}

/** From the form that URLs have: groups in hexadecimal, and `::` once at most. */
function ipv6Bytes(text: string): Buffer {
  const [left = '', right] = text.split('::')
  const groupsOf = (part: string) => part.split(':').filter(group => group !== '')
  const [start, end] = [groupsOf(left), groupsOf(right ?? '')]
  const zeros = Array.from({ length: 8 - start.length - end.length }, () => '0')
  const hex = [...start, ...zeros, ...end].map(group => group.padStart(4, '0')).join('')
  return Buffer.from(hex, 'hex')
}
