import { connect } from 'node:net'
import { join } from 'node:path'

/** How long a bus may take to say its first word. One that lives answers within milliseconds. */
const TIME_LIMIT_MS = 1500

/** The session bus that answered, or why there is none. */
export type SessionBus = { address: string } | { missing: string }

/** Where a socket is, as `net.connect` takes it. */
type SocketPlace = { path: string } | { host: string; port: number }

/**
 * Finds the session's D-Bus, which is how the Secret Service is spoken to, and makes sure that somebody answers there:
 * libraries for it wait without end for a socket that says nothing (D-Bus specification, Server Addresses and
 * Authentication Protocol).
 */
export async function findSessionBus(
  environment: NodeJS.ProcessEnv,
  timeLimitMs = TIME_LIMIT_MS,
): Promise<SessionBus> {
  let missing = 'there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set)'
  for (const address of busAddresses(environment)) {
    const place = parseAddress(address, environment)
    const problem =
      place === undefined ? 'is of a kind that is not for programs' : await askBus(place, timeLimitMs)
    if (problem === undefined) return { address }
    if (environment.DBUS_SESSION_BUS_ADDRESS) missing = `the D-Bus session at ${address} ${problem}`
  }
  return { missing }
}

/** What `DBUS_SESSION_BUS_ADDRESS` lists; else where systemd puts the bus of a user. */
function busAddresses({
  DBUS_SESSION_BUS_ADDRESS: text,
  XDG_RUNTIME_DIR: folder,
}: NodeJS.ProcessEnv): string[] {
  if (text !== undefined && text !== '') return text.split(';').filter(address => address !== '')
  return folder === undefined || folder === '' ? [] : [`unix:path=${escapeValue(join(folder, 'bus'))}`]
}

/** @returns undefined for a kind of address that is not for programs to connect to */
function parseAddress(address: string, environment: NodeJS.ProcessEnv): SocketPlace | undefined {
  const colon = address.indexOf(':')
  const fields = new Map(
    address
      .slice(colon + 1)
      .split(',')
      .map(field => {
        const equals = field.indexOf('=')
        return [field.slice(0, equals), unescapeValue(field.slice(equals + 1))] as const
      }),
  )
  const kind = address.slice(0, colon)
  if (kind === 'tcp')
    return { host: fields.get('host') ?? 'localhost', port: Number(fields.get('port') ?? 0) }
  if (kind !== 'unix') return undefined
  const path = fields.get('path')
  if (path !== undefined) return { path }
  const abstract = fields.get('abstract')
  if (abstract !== undefined) return { path: `\0${abstract}` }
  const folder = environment.XDG_RUNTIME_DIR
  return fields.get('runtime') === 'yes' && folder !== undefined ? { path: join(folder, 'bus') } : undefined
}

function escapeValue(text: string): string {
  return text.replace(/[^\w./\\*-]/gu, character =>
    [...Buffer.from(character)].map(byte => `%${byte.toString(16).padStart(2, '0')}`).join(''),
  )
}

function unescapeValue(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

/** Begins to log in, and wants any answer. @returns what is wrong; undefined when the bus answered */
function askBus(place: SocketPlace, timeLimitMs: number): Promise<string | undefined> {
  return new Promise(resolve => {
    const socket = connect(place)
    const settle = (problem: string | undefined) => {
      clearTimeout(timer)
      socket.destroy()
      resolve(problem)
    }
    const timer = setTimeout(() => settle('does not answer'), timeLimitMs)
    socket.once('error', error => settle(`cannot be reached (${(error as NodeJS.ErrnoException).code})`))
    socket.once('close', () => settle('hung up'))
    socket.once('data', () => settle(undefined))
    socket.once('connect', () => {
      const user = Buffer.from(String(process.getuid?.() ?? 0)).toString('hex')
      socket.write(`\0AUTH EXTERNAL ${user}\r\n`)
    })
  })
}
