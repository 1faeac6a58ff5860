import { describe, expect, test } from 'vitest'
import {
  BASIC,
  BYTES,
  canary,
  clientOf,
  DESCRIPTOR,
  MANIFEST,
  MANIFEST_HEADERS,
} from '../../test/support/registry-fixtures.js'
import {
  type Answer,
  answer,
  hangUp,
  type ScriptedServer,
  startScripted,
} from '../../test/support/scripted-server.js'
import { parseRegistriesConf } from '../config/registries-conf.js'
import { Routes } from '../config/routes.js'
import { MemoryStore } from '../content/memory-store.js'
import { readLimited } from '../content/verify.js'
import { transferBlob } from '../copy/transfer.js'
import type { RegistryClientOptions } from './client.js'

const PULL: readonly (readonly [RegExp, ...Answer[]])[] = [
  [/manifests/, answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  [/blobs/, answer(200, {}, BYTES)],
]

/** A repository of `origin` with mirrors, by registries.conf. */
async function mirrored(
  origin: ScriptedServer,
  mirrors: readonly (ScriptedServer | string)[],
  options: Partial<RegistryClientOptions> & { reads?: string } = {},
) {
  const { reads = 'all', ...rest } = options
  const lines = mirrors.map(mirror => {
    const location = typeof mirror === 'string' ? mirror : mirror.host
    return `[[registry.mirror]]\nlocation = "${location}"\npull-from-mirror = "${reads}"`
  })
  const conf = `[[registry]]\nlocation = "${origin.host}"\n${lines.join('\n')}`
  const made = clientOf({ routes: new Routes(await parseRegistriesConf(conf, 'r.conf'), []), ...rest })
  const repository = made.client.repository(origin.host, 'app', { mirrors: true })
  const pull = async () => {
    await repository.getManifest('1', made.context)
    return await readLimited(await repository.openBlob(DESCRIPTOR, made.context), 1000, 'blob')
  }
  return { ...made, repository, pull }
}

describe('mirrors', () => {
  test('R157, R247: are left for the next place when their bytes are wrong', async () => {
    const wrong = Buffer.from(BYTES.map(byte => byte ^ 1))
    await using origin = await startScripted(PULL)
    await using broken = await startScripted([[/blobs/, answer(200, {}, wrong)], ...PULL])
    await using other = await startScripted([[/blobs/, answer(200, {}, wrong)], ...PULL])
    const { client, repository, context, events } = await mirrored(origin, [broken, other])
    await using _ = client
    await repository.getManifest('1', context)
    const sink = new MemoryStore('here')
    expect(await transferBlob(repository, sink, DESCRIPTOR, context)).toBe('copied')
    expect([broken, other, origin].map(({ seen }) => seen.length)).toEqual([2, 1, 1])
    expect(events.filter(({ type }) => type === 'warning')).toEqual(
      [broken, other].map(({ host }) => ({
        type: 'warning',
        message: `the mirror ${host} has other bytes than it should for blob ${DESCRIPTOR.digest}: they come from the next place`,
      })),
    )
  })

  test('R16, R30, R156: give manifests and what these name, told of the registry that they mirror', async () => {
    await using origin = await startScripted(PULL)
    await using mirror = await startScripted(PULL)
    const { client, pull } = await mirrored(origin, [mirror])
    await using _ = client
    expect(Buffer.from(await pull())).toEqual(BYTES)
    expect(origin.lines()).toEqual([])
    const ns = encodeURIComponent(origin.host)
    expect(mirror.lines()).toEqual([
      `GET /v2/app/manifests/1?ns=${ns}`,
      `GET /v2/app/blobs/${DESCRIPTOR.digest}?ns=${ns}`,
    ])
  })

  test.each([
    ['lacks it', [[/./, answer(404)]]],
    ['refuses', [[/./, answer(403)]]],
    ['fails', [[/./, answer(500)]]],
    [
      'gives something else',
      [
        [
          /./,
          answer(200, { ...MANIFEST_HEADERS, 'docker-content-digest': DESCRIPTOR.digest }, MANIFEST.bytes),
        ],
      ],
    ],
  ] as const)(
    'R156, R157: the registry itself is asked where a mirror %s, for the blobs too',
    async (_why, routes) => {
      await using origin = await startScripted(PULL)
      await using mirror = await startScripted(routes)
      const { client, pull } = await mirrored(origin, [mirror])
      await using _ = client
      expect(Buffer.from(await pull())).toEqual(BYTES)
      expect(origin.lines()).toEqual(['GET /v2/app/manifests/1', `GET /v2/app/blobs/${DESCRIPTOR.digest}`])
      expect(mirror.lines().some(line => line.includes('blobs'))).toBe(false)
    },
  )

  test.each<[string, Answer, number]>([
    ['429', answer(429, { 'retry-after': '30' }), 1],
    ['503', answer(503), 1],
    ['a closed connection, which may be an old one', hangUp, 2],
  ])('R251: one that answers with %s is not waited for', async (_what, answered, times) => {
    await using origin = await startScripted(PULL)
    await using mirror = await startScripted([[/./, answered]])
    const { client, pull, delays } = await mirrored(origin, [mirror])
    await using _ = client
    expect(Buffer.from(await pull())).toEqual(BYTES)
    expect(mirror.seen).toHaveLength(times)
    expect(delays).toEqual([])
  })

  test('R251: the registry itself, as the last one, is tried again', async () => {
    await using origin = await startScripted([
      [/manifests/, answer(503), answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
      ...PULL,
    ])
    await using mirror = await startScripted([[/./, answer(503)]])
    const { client, pull, delays } = await mirrored(origin, [mirror])
    await using _ = client
    expect(Buffer.from(await pull())).toEqual(BYTES)
    expect(delays).toHaveLength(1)
  })

  test('one that nobody answers for is left out with one warning', async () => {
    await using origin = await startScripted(PULL)
    const { client, pull, events } = await mirrored(origin, ['127.0.0.1:1'])
    await using _ = client
    await pull()
    await pull()
    const warnings = events.filter(event => event.type === 'warning')
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatchObject({
      message: expect.stringContaining('the mirror 127.0.0.1:1 is left out: '),
    })
  })

  test('a blob that breaks off at a mirror goes on at the registry itself', async () => {
    const half: Answer = (_request, response) => {
      response.writeHead(200, { 'content-length': BYTES.length })
      response.write(BYTES.subarray(0, 5), () => response.destroy())
    }
    const gone: Answer = (_request, response) => response.socket?.destroy()
    const rest = answer(
      206,
      { 'content-range': `bytes 5-${BYTES.length - 1}/${BYTES.length}` },
      BYTES.subarray(5),
    )
    await using origin = await startScripted([[/blobs/, rest]])
    await using mirror = await startScripted([PULL[0] ?? [/x/], [/blobs/, half, gone]])
    const { client, pull } = await mirrored(origin, [mirror])
    await using _ = client
    expect(Buffer.from(await pull())).toEqual(BYTES)
    expect(origin.seen[0]?.headers.range).toBe('bytes=5-')
  })

  test('R157: get credentials of their own, and never those of the registry', async () => {
    const login = answer(401, { 'www-authenticate': 'Basic realm="x"' })
    await using origin = await startScripted(PULL)
    await using mirror = await startScripted([[/manifests/, login]])
    const asked: string[] = []
    const credentials = {
      find: async (registry: string) => {
        asked.push(registry)
        return registry === mirror.host ? undefined : await canary.find(registry)
      },
    }
    const { client, pull } = await mirrored(origin, [mirror], { credentials })
    await using _ = client
    await pull()
    expect(asked).toEqual([mirror.host])
    expect(mirror.seen.every(({ headers }) => headers.authorization !== BASIC)).toBe(true)
  })

  test('for digests alone are not asked for a tag, nor for what that names', async () => {
    await using origin = await startScripted(PULL)
    await using mirror = await startScripted(PULL)
    const { client, repository, pull, context } = await mirrored(origin, [mirror], { reads: 'digest-only' })
    await using _ = client
    await pull()
    expect(mirror.lines()).toEqual([])
    const other = client.repository(origin.host, 'app', { mirrors: true })
    await other.getManifest(MANIFEST.descriptor.digest, context)
    expect(mirror.lines()).toHaveLength(1)
    expect(repository.label).toBe(`${origin.host}/app`)
  })

  test('are not asked where something is to be written, nor by those who did not want it', async () => {
    await using origin = await startScripted([[/./, answer(404)]])
    await using mirror = await startScripted(PULL)
    const { client, repository, context } = await mirrored(origin, [mirror])
    await using _ = client
    expect(await repository.hasManifest(MANIFEST.descriptor.digest, context)).toBe(false)
    expect(await repository.statManifest('1', context)).toBeUndefined()
    expect(await client.repository(origin.host, 'app').statManifest('1', context)).toBeUndefined()
    expect(mirror.lines()).toEqual([])
  })
})
