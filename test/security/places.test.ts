import { describe, expect, test } from 'vitest'
import { isInternal } from '../../src/registry/addresses.js'
import { selfSigned } from '../support/certificates.js'
import { startConnectProxy } from '../support/connect-proxy.js'
import {
  blobFrom,
  CANARY,
  canary,
  clientOf,
  DESCRIPTOR,
  MANIFEST,
  MANIFEST_HEADERS,
} from '../support/registry-fixtures.js'
import { answer, startScripted } from '../support/scripted-server.js'
import { missingTool } from '../support/tools.js'

const INTERNAL = [
  'http://169.254.169.254/u',
  'http://10.0.0.1:8080/u',
  'http://192.168.1.1/u',
  'http://[::ffff:169.254.169.254]/u',
  'http://[fd00:ec2::254]/u',
  'http://0.0.0.0/u',
  'http://2852039166/u',
  'http://0251.0376.0251.0376/u',
  'http://224.0.0.1/u',
]

describe('R215: the bytes of a layer are not sent to an internal address', () => {
  test.each(INTERNAL)('%s', async location => {
    await using registry = await startScripted([
      [/^POST /, answer(202, { location })],
      [/^HEAD /, answer(404)],
    ])
    const { client, context } = clientOf()
    await using _ = client
    const repository = client.repository(registry.host, 'a')
    await expect(repository.putBlob(blobFrom(repository), context)).rejects.toMatchObject({
      code: 'bad-location',
      message: expect.stringContaining('is an internal address on another host, which is refused'),
    })
  })

  test('nor by a redirect of the upload', async () => {
    await using registry = await startScripted([
      [/^POST /, answer(202, { location: '/upload' })],
      [/^HEAD /, answer(404)],
      [/^PUT /, answer(307, { location: 'http://10.0.0.1/u' })],
    ])
    const { client, context } = clientOf()
    await using _ = client
    const repository = client.repository(registry.host, 'a')
    await expect(repository.putBlob(blobFrom(repository), context)).rejects.toMatchObject({
      code: 'unsafe-url',
    })
  })
})

test.each(INTERNAL)('R216: a redirect to %s is not followed', async location => {
  expect(isInternal(new URL(location).hostname)).toBe(true)
  await using registry = await startScripted([[/./, answer(307, { location })]])
  const { client, context } = clientOf()
  await using _ = client
  await expect(client.repository(registry.host, 'a').openBlob(DESCRIPTOR, context)).rejects.toMatchObject({
    code: 'unsafe-url',
  })
})

describe('R233: what is insecure is that host alone', () => {
  test('a login in clear text to another host is refused', async () => {
    const realm = 'http://auth.example/token'
    await using registry = await startScripted([
      [/./, answer(401, { 'www-authenticate': `Bearer realm="${realm}"` })],
    ])
    const { client, context } = clientOf({ credentials: canary, insecureRegistries: [registry.host] })
    await using _ = client
    await expect(client.repository(registry.host, 'a').getManifest('1', context)).rejects.toMatchObject({
      code: 'unsafe-url',
      message: expect.stringContaining(`the realm to ${realm} would leave TLS for another host`),
    })
  })

  describe.skipIf(missingTool('openssl'))('the certificate of another host is verified', () => {
    test.each([
      ['a realm', answer(401, { 'www-authenticate': 'Bearer realm="https://other.example/token"' })],
      ['a redirect', answer(307, { location: 'https://other.example/x' })],
    ])('at %s', async (_what, given) => {
      await using other = await startScripted(
        [[/./, answer(200, MANIFEST_HEADERS, MANIFEST.bytes)]],
        await selfSigned(),
      )
      await using registry = await startScripted([[/./, given]])
      await using proxy = await startConnectProxy({
        'r.example:5000': registry.host,
        'other.example:443': other.host,
      })
      const { client, context } = clientOf({
        credentials: canary,
        insecureRegistries: ['r.example:5000'],
        proxyFor: () => proxy.url,
      })
      await using _ = client
      const error: unknown = await client
        .repository('r.example:5000', 'a')
        .getManifest('1', context)
        .catch((reason: unknown) => reason)
      expect(error).toMatchObject({ code: 'unknown-authority' })
      expect(proxy.asked).toContain('other.example:443')
      expect(other.seen).toEqual([])
      expect(`${error}`).not.toContain(CANARY)
    })
  })
})
