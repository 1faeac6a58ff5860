import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { run } from '../../test/support/run.js'
import { answer, startScripted } from '../../test/support/scripted-server.js'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { missingTool } from '../../test/support/tools.js'
import { createContext } from '../content/context.js'
import { MemoryCollection } from '../content/memory-collection.js'
import { anonymous } from '../credentials/credential-store.js'
import { createRegistryServer } from '../server/server.js'
import { RegistryClient } from './client.js'

test('R160: goes through a proxy where one applies, telling it no credentials', async () => {
  await using server = await startScripted([[/./, answer(200, { 'content-length': '3' })]])
  const asked: { target: string; headers: object }[] = []
  const proxy = createServer()
  proxy.on('connect', (request, socket) => {
    asked.push({ target: request.url ?? '', headers: request.headers })
    const port = Number(server.host.split(':')[1])
    const upstream = connect(port, '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n')
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const { port } = proxy.address() as AddressInfo
  try {
    await using client = new RegistryClient({
      credentials: anonymous,
      insecureRegistries: ['registry.example:5000'],
      proxyFor: () => new URL(`http://127.0.0.1:${port}`),
    })
    const digest = `sha256:${'a'.repeat(64)}` as const
    const repository = client.repository('registry.example:5000', 'a')
    expect(await repository.statBlob(digest, createContext())).toBe(3)
    expect(asked.map(({ target }) => target)).toContain('registry.example:5000')
  } finally {
    proxy.closeAllConnections()
    proxy.close()
  }
})

test.skipIf(missingTool('openssl'))(
  'R149: speaks https to an insecure registry with any certificate',
  async () => {
    await using folder = await temporaryFolder()
    const [keyFile, certificateFile] = [join(folder.path, 'key'), join(folder.path, 'cert')]
    const parameters = [
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '2',
      '-subj',
      '/CN=other.example',
    ]
    await run('openssl', [...parameters, '-keyout', keyFile, '-out', certificateFile])
    const tls = { key: await readFile(keyFile), cert: await readFile(certificateFile) }
    const server = createRegistryServer({ repositories: new MemoryCollection(), tls })
    const lines: string[] = []
    try {
      const { port } = await server.listen('127.0.0.1', 0)
      await using client = new RegistryClient({ credentials: anonymous, log: line => lines.push(line) })
      const repository = client.repository(`127.0.0.1:${port}`, 'a')
      expect(await repository.statManifest('missing', createContext())).toBeUndefined()
      expect(lines[0]).toMatch(/^HEAD https:\/\/127/)
    } finally {
      await server.close()
    }
  },
)

test('keeps connections for many checks, one after another', async () => {
  await using server = await startScripted([[/^HEAD/, answer(200, { 'content-length': '5000000' })]])
  await using client = new RegistryClient({ credentials: anonymous })
  const repository = client.repository(server.host, 'a')
  const digest = `sha256:${'a'.repeat(64)}` as const
  // The first one also finds out that TLS is not spoken there.
  await repository.statBlob(digest, createContext())
  const before = server.connections()
  for (let times = 0; times < 5; times++) {
    expect(await repository.statBlob(digest, createContext())).toBe(5_000_000)
  }
  // The pool may open a second one before the first is idle again, and then takes turns.
  expect(server.connections()).toBeLessThanOrEqual(before + 1)
})
