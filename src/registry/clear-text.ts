import { connect, type LookupFunction } from 'node:net'
import { placeOf } from '../http/connecting.js'

/** Who answers in clear text does so at once. */
const PATIENCE_MS = 1_000

/**
 * The beginning of TLS (RFC 8446, section 4.1.2): enough for a server to go on, or to end it with an alert. Its random
 * bytes are line feeds, so that what reads lines of text doesn't wait for the end of the first. Each character is a byte.
 */
const CLIENT_HELLO = `\x16\x03\x01\x003\x01\0\0/\x03\x03${'\n'.repeat(32)}\0\0\x08\x13\x01\xc0\x2f\xc0\x2b\0\x2f\x01\0`

/** How each answer of a server begins that speaks HTTP/1 (RFC 9112, section 4). */
const HTTP = 'HTTP/'

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
        buffer: new Uint8Array(HTTP.length),
        callback: (_, answer) => {
          if (String.fromCharCode(...answer) === HTTP) leave()
          else giveUp()
          return false
        },
      },
    })
    // To close a socket takes Node a while, in which the registry can be asked. The timer does it, unless all is over by then.
    const leave = () => {
      socket.unref()
      timer.unref()
      resolve(true)
    }
    const giveUp = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
      socket.destroy()
      resolve(false)
    }
    const timer = setTimeout(giveUp, PATIENCE_MS)
    signal.addEventListener('abort', giveUp)
    socket
      .once('connect', () => socket.write(CLIENT_HELLO, 'latin1'))
      // One that hangs up without a word need not be waited for.
      .once('close', giveUp)
      .on('error', giveUp)
    if (signal.aborted) giveUp()
  })
}
