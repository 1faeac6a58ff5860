import type { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** For what was sent to be read: some systems take a reset that overtakes it for an orderly end. */
const ARRIVAL_MS = 20

/** Ends a connection as a broken link does, once what was sent has arrived. */
export async function reset(socket: Socket): Promise<void> {
  await sleep(ARRIVAL_MS)
  socket.resetAndDestroy()
  // Without it, an orderly end of what can be written to is sent first.
  socket.destroy()
}
