import type { Duplex } from 'node:stream'

/** A connection that failed when it was written to has this long to be read to its end. */
const LISTEN_MS = 1000
const CLOSED = new Set(['ECONNRESET', 'EPIPE'])

type Done = (error?: Error | null) => void

/**
 * Has what a server said before it closed a connection be read. A server may refuse a body in the middle of it: with the
 * next write the connection turns out to be closed, and Node throws away what came over it and was not read yet, the
 * refusal included (rule R244). So a failed write counts as under way until the reading side has come to its end, which
 * destroys the socket if nothing else does.
 */
export function hearLastWords(socket: Duplex): void {
  const held = (done: Done): Done => {
    return error => {
      const isClosed = error instanceof Error && CLOSED.has((error as NodeJS.ErrnoException).code ?? '')
      if (!isClosed || socket.destroyed) return done(error)
      const fail = () => {
        clearTimeout(timer)
        socket.off('end', fail).off('close', fail)
        done(error)
      }
      const timer = setTimeout(fail, LISTEN_MS)
      socket.once('end', fail).once('close', fail)
    }
  }
  const write = socket._write.bind(socket)
  socket._write = (chunk, encoding, done) => write(chunk, encoding, held(done))
  const writeAll = socket._writev?.bind(socket)
  if (writeAll !== undefined) socket._writev = (chunks, done) => writeAll(chunks, held(done))
}
