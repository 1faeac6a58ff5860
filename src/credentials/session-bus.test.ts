import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findSessionBus } from './session-bus.js'

let folder: string
let servers: Server[]
const sockets = new Set<Socket>()

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-bus-'))
  servers = []
})
afterEach(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  await rm(folder, { recursive: true })
})

/** Listens as a bus does. @returns its path */
async function listen(name: string, answer: (socket: Socket) => void): Promise<string> {
  const path = join(folder, name)
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => {})
    answer(socket)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(path, resolve))
  return path
}

const answering = (socket: Socket) => socket.once('data', () => socket.write('OK 1234deadbeef\r\n'))

describe('the session bus', () => {
  it('is where DBUS_SESSION_BUS_ADDRESS says, once somebody answers', async () => {
    const path = await listen('a bus', answering)
    const address = `unix:path=${path.replace(' ', '%20')},guid=1234`
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: address })).toEqual({ address })
  })

  it('is the first of several addresses that answers', async () => {
    const address = `unix:path=${await listen('second', answering)}`
    const list = `unix:path=${join(folder, 'first')};${address}`
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: list })).toEqual({ address })
  })

  it("is in the user's folder for sockets when no variable names it", async () => {
    const path = await listen('bus', answering)
    expect(await findSessionBus({ XDG_RUNTIME_DIR: folder })).toEqual({ address: `unix:path=${path}` })
  })

  it.each([{}, { DBUS_SESSION_BUS_ADDRESS: '' }, { XDG_RUNTIME_DIR: '/nowhere' }])(
    'is missing with %j',
    async environment => {
      const missing = 'there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set)'
      expect(await findSessionBus(environment)).toEqual({ missing })
    },
  )

  it('is missing where the address points nowhere', async () => {
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nowhere/bus' })).toEqual({
      missing: 'the D-Bus session at unix:path=/nowhere/bus cannot be reached (ENOENT)',
    })
  })

  it('is missing where something listens and says nothing', async () => {
    const address = `unix:path=${await listen('silent', () => {})}`
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: address }, 50)).toEqual({
      missing: `the D-Bus session at ${address} does not answer`,
    })
  })

  it('is missing where something hangs up', async () => {
    const address = `unix:path=${await listen('rude', socket => socket.end())}`
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: address })).toEqual({
      missing: `the D-Bus session at ${address} hung up`,
    })
  })

  it('is missing where the address is not for programs', async () => {
    expect(await findSessionBus({ DBUS_SESSION_BUS_ADDRESS: 'autolaunch:' })).toEqual({
      missing: 'the D-Bus session at autolaunch: is of a kind that is not for programs',
    })
  })
})
