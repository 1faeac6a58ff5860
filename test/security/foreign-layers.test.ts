import { beforeAll, describe, expect, test } from 'vitest'
import { readLimited } from '../../src/content/verify.js'
import { selfSigned } from '../support/certificates.js'
import { BYTES, CANARY, canary, clientOf, DESCRIPTOR } from '../support/registry-fixtures.js'
import { type Answer, answer, refusal, startScripted } from '../support/scripted-server.js'
import { missingTool } from '../support/tools.js'

const missing = refusal(404, 'BLOB_UNKNOWN')
const askForLogin = (host: string) => answer(401, { 'www-authenticate': `Basic realm="${host}"` })

describe.skipIf(missingTool('openssl'))('R212: a layer that is kept elsewhere', () => {
  let certificate: { key: string; cert: string }
  beforeAll(async () => {
    certificate = await selfSigned()
  })

  /** Pulls a layer that the registry lacks, from a place behind TLS that answers so. */
  async function pull(...answers: Answer[]) {
    await using elsewhere = await startScripted([[/./, ...answers]], certificate)
    await using registry = await startScripted([[/./, askForLogin('r'), missing]])
    const { client, context } = clientOf({ credentials: canary, insecureRegistries: [elsewhere.host] })
    await using _ = client
    const descriptor = { ...DESCRIPTOR, urls: [`https://${elsewhere.host}/layer`] }
    const repository = client.repository(registry.host, 'a')
    try {
      const body = await repository.openBlob(descriptor, context)
      return {
        bytes: await readLimited(body, 100, 'layer'),
        elsewhere: elsewhere.seen,
        registry: registry.seen,
      }
    } catch (error) {
      return { error, elsewhere: elsewhere.seen, registry: registry.seen }
    }
  }

  test('is fetched there without the credentials of the registry', async () => {
    const { bytes, elsewhere, registry } = await pull(answer(200, {}, BYTES))
    expect(bytes).toEqual(BYTES)
    expect(registry[1]?.headers.authorization).toMatch(/^Basic /)
    expect(elsewhere).toHaveLength(1)
    expect(elsewhere[0]?.headers).not.toHaveProperty('authorization')
  })

  test('is asked for once where a login is wanted, which it does not get', async () => {
    const { error, elsewhere } = await pull(
      answer(401, { 'www-authenticate': 'Bearer realm="https://127.0.0.1:1/token"' }),
    )
    expect(error).toMatchObject({
      code: 'foreign-layer',
      message: expect.stringMatching(/the registry does not have it, .* answered 401$/),
    })
    expect(elsewhere).toHaveLength(1)
    expect(JSON.stringify(elsewhere)).not.toContain(CANARY)
  })

  test('is not followed from there to clear text', async () => {
    const { error, elsewhere } = await pull(answer(302, { location: 'http://127.0.0.1:1/layer' }))
    expect(error).toMatchObject({
      code: 'unsafe-url',
      message: expect.stringContaining(
        'the place at http://127.0.0.1:1/layer is not https, which is refused',
      ),
    })
    expect(elsewhere).toHaveLength(1)
  })
})

test('R212: no layer comes in clear text, or with a login even from the registry itself', async () => {
  await using registry = await startScripted([[/./, askForLogin('r'), missing]])
  const { client, context } = clientOf({ credentials: canary })
  await using _ = client
  const repository = client.repository(registry.host, 'a')
  for (const url of [`http://${registry.host}/layer`, `http://127.0.0.1:1/layer`]) {
    await expect(repository.openBlob({ ...DESCRIPTOR, urls: [url] }, context)).rejects.toMatchObject({
      code: 'foreign-layer',
      message: expect.stringContaining('is not https, which is refused'),
    })
  }
  expect(registry.lines().filter(line => line.endsWith('/layer'))).toEqual([])
})

test.each([
  ['https://169.254.169.254/latest', 'is an internal address on another host'],
  ['https://[fd00::1]/x', 'is an internal address on another host'],
  ['https://ada:canary-secret@r.example/x', 'holds a user name'],
  ['ftp://r.example/x', 'has the scheme ftp:'],
  ['file:///etc/passwd', 'has the scheme file:'],
])('R212, R216: a layer is not fetched from %s', async (url, reason) => {
  await using registry = await startScripted([[/./, missing]])
  const { client, context } = clientOf()
  await using _ = client
  const failure = client.repository(registry.host, 'a').openBlob({ ...DESCRIPTOR, urls: [url] }, context)
  await expect(failure).rejects.toMatchObject({ message: expect.stringContaining(reason) })
  await expect(failure).rejects.not.toThrow(CANARY)
})
