import { connect, type LookupFunction } from 'node:net'
import { placeOf } from '../http/connecting.js'

/** Who answers in clear text does so at once. */
const PATIENCE_MS = 1_000

/**
 * The beginning of TLS (RFC 8446, section 4.1.2): enough for a server to go on, or to end it with an alert. Its random
 * bytes are line feeds, so that what reads lines of text doesn't wait for the end of the first.
 */
const CLIENT_HELLO = Buffer.from(
  ['16030100330100002f0303', '0a'.repeat(32), '00', '0008', '1301c02fc02b002f', '0100'].join(''),
  'hex',
)

/** How each answer of a server begins that speaks HTTP/1 (RFC 9112, section 4). */
const HTTP = Buffer.from('HTTP/')

/**
 * Whether a server takes TLS for a broken HTTP request. To see that, a handshake is begun by hand: TLS itself need not be
 * loaded, nor any certificate.
 *
 * @returns false when it speaks TLS or that can't be told: real TLS then shows what is wrong
 */
export function answersInClearText(
  url: URL,
  lookup: LookupFunction | undefined,
  signal: AbortSignal,
): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect({
      ...placeOf(url),
      ...(lookup !== undefined && { lookup }),
      // As the connections of the client read, and write once they are made: no other part of Node is compiled for it.
      onread: {
        buffer: Buffer.alloc(HTTP.length),
        callback: (_, answer) => {
          end(Buffer.from(answer).equals(HTTP))
          return true
        },
      },
    })
    const end = (isClearText: boolean) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      resolve(isClearText)
    }
    const giveUp = () => end(false)
    const timer = setTimeout(giveUp, PATIENCE_MS)
    signal.addEventListener('abort', giveUp)
    socket
      .once('connect', () => socket.write(CLIENT_HELLO))
      // One that hangs up without a word need not be waited for.
      .once('close', giveUp)
      .on('error', giveUp)
    if (signal.aborted) giveUp()
  })
}
