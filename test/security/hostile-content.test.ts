import { describe, expect, test } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { MediaType } from '../../src/content/media-types.js'
import { MemoryStore } from '../../src/content/memory-store.js'
import { copy } from '../../src/copy/copy.js'
import { CANARY, canary, clientOf, DESCRIPTOR } from '../support/registry-fixtures.js'
import { type Answer, answer, type ScriptedServer, startScripted } from '../support/scripted-server.js'

const MIB = 1024 * 1024

/** What copying `a:1` from a registry that answers so comes to. */
async function copyFrom(registry: ScriptedServer) {
  const { client, context, events } = clientOf({ credentials: canary })
  await using _ = client
  const sink = new MemoryStore('sink')
  const source = client.repository(registry.host, 'a')
  const error: unknown = await copy(source, '1', [{ sink, tags: ['1'] }], context)
    .then(({ targets }) => targets[0]?.error)
    .catch((reason: unknown) => reason)
  const tags: string[] = []
  for await (const tag of sink.listTags(context)) tags.push(tag)
  return { error, tags, events }
}

/** A registry with this manifest, and with whatever blob is asked for. */
async function serving(manifest: object | string, mediaType: string = MediaType.ociManifest) {
  const bytes = Buffer.from(typeof manifest === 'string' ? manifest : JSON.stringify(manifest))
  return await startScripted([
    [/^GET .*\/manifests\//, answer(200, { 'content-type': mediaType }, bytes)],
    [/^HEAD /, answer(404)],
    [/^GET .*\/referrers\//, answer(404)],
    [/^GET .*\/blobs\//, answer(200, {}, Buffer.from('the bytes of a layer'))],
  ])
}

const IMAGE = {
  schemaVersion: 2,
  mediaType: MediaType.ociManifest,
  config: { ...DESCRIPTOR, mediaType: MediaType.ociConfig },
  layers: [DESCRIPTOR],
}

describe('a manifest that lies is refused before any blob is asked for (R192, R204)', () => {
  test.each<[string, object, RegExp]>([
    ['the size -1', { size: -1 }, /has a "size" that is no whole number of bytes/],
    ['the size 1e20', { size: 1e20 }, /has a "size" that is no whole number of bytes/],
    ['the size 1.5', { size: 1.5 }, /has a "size" that is no whole number of bytes/],
    ['a size that is text', { size: '20' }, /has a "size" that is no whole number of bytes/],
    ['a digest with a path', { digest: 'sha256:../../../etc/passwd' }, /sha256 takes 64 hex digits/],
    ['a digest that leads out', { digest: '../../_catalog' }, /it names no algorithm/],
    ['a digest of md5', { digest: `md5:${'a'.repeat(32)}` }, /"md5" is not one of sha256, sha512/],
    ['a media type that is a number', { mediaType: 7 }, /has a "mediaType" that is no string/],
  ])('%s', async (_what, change, message) => {
    for (const where of [
      { config: { ...IMAGE.config, ...change } },
      { layers: [{ ...DESCRIPTOR, ...change }] },
    ]) {
      await using registry = await serving({ ...IMAGE, ...where })
      const { error, tags } = await copyFrom(registry)
      expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringMatching(message) })
      expect(registry.lines().filter(line => line.includes('/blobs/') || line.includes('_catalog'))).toEqual(
        [],
      )
      expect(tags).toEqual([])
    }
  })

  test('one digest with two sizes (R207)', async () => {
    await using registry = await serving({ ...IMAGE, layers: [DESCRIPTOR, { ...DESCRIPTOR, size: 21 }] })
    const { error, tags } = await copyFrom(registry)
    expect(error).toMatchObject({
      code: 'size-mismatch',
      message: expect.stringMatching(/is named with 20 bytes and also with 21$/),
    })
    expect(tags).toEqual([])
  })

  test('an index that names itself, or what it says is itself (R232)', async () => {
    const digest = digestOf(Buffer.from('itself'))
    const entry = { mediaType: MediaType.ociIndex, digest, size: 300 }
    const index = { schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [entry, entry] }
    await using registry = await serving(index, MediaType.ociIndex)
    const { error, tags } = await copyFrom(registry)
    expect(error).toMatchObject({
      kind: 'corrupt',
      code: expect.stringMatching(/^(?:size|digest)-mismatch$/),
    })
    expect(registry.lines().filter(line => line.startsWith('GET')).length).toBeLessThan(10)
    expect(tags).toEqual([])
  })

  test.each([
    ['lists and objects without end (R228)', `${'[{"a":'.repeat(100_000)}1`],
    [
      'a kind of its own, in an escape sequence (R231)',
      JSON.stringify({ ...IMAGE, mediaType: 'a\u001b[2J\u202e' }),
    ],
  ])('%s', async (_what, body) => {
    await using registry = await serving(body)
    const { error } = await copyFrom(registry)
    expect(error).toMatchObject({ kind: 'corrupt', message: expect.stringMatching(/^[\x20-\x7e]{1,400}$/) })
  })
})

describe('a body that is larger than anything honest is not read to its end (R235, R236)', () => {
  /** Sends without a length, and notes how much was taken before the other side had enough. */
  function endless(headers: Record<string, string>, start: string): { answer: Answer; sent(): number } {
    let sent = 0
    const piece = Buffer.alloc(64 * 1024, 'x')
    return {
      sent: () => sent,
      answer: (_request, response) => {
        response.writeHead(200, headers).write(start)
        const more = () => {
          while (!response.destroyed && sent < 64 * MIB) {
            sent += piece.length
            if (!response.write(piece)) {
              response.once('drain', more)
              return
            }
          }
          response.end()
        }
        more()
      },
    }
  }

  test('a manifest', async () => {
    const body = endless({ 'content-type': MediaType.ociManifest }, '{"a":"')
    await using registry = await startScripted([[/\/manifests\//, body.answer]])
    const { error } = await copyFrom(registry)
    expect(error).toMatchObject({ kind: 'corrupt', code: 'too-large' })
    expect(body.sent()).toBeLessThan(32 * MIB)
  })

  test('a token', async () => {
    const body = endless({ 'content-type': 'application/json' }, '{"token":"')
    await using registry = await startScripted([
      [/^GET \/token/, body.answer],
      [
        /./,
        (request, response) => {
          const realm = `http://${request.headers.host}/token`
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}"` }).end()
        },
      ],
    ])
    const { error } = await copyFrom(registry)
    expect(error).toMatchObject({ code: 'token-server' })
    expect(`${error}`).not.toContain(CANARY)
    expect(body.sent()).toBeLessThan(32 * MIB)
  })

  test('a blob', async () => {
    const body = endless({}, '')
    await using registry = await startScripted([
      [/\/manifests\//, answer(200, { 'content-type': MediaType.ociManifest }, JSON.stringify(IMAGE))],
      [/^GET .*\/blobs\//, body.answer],
      [/^GET .*\/referrers\//, answer(404)],
    ])
    const { error, tags } = await copyFrom(registry)
    expect(error).toMatchObject({ kind: 'corrupt' })
    expect(body.sent()).toBeLessThan(64 * MIB)
    expect(tags).toEqual([])
  })
})

describe('a list that lies (R74, R231, R232)', () => {
  async function listed(page: object) {
    await using registry = await startScripted([[/./, answer(200, {}, JSON.stringify(page))]])
    const { client, context, events } = clientOf()
    await using _ = client
    const tags: string[] = []
    for await (const tag of client.repository(registry.host, 'a').listTags(context)) tags.push(tag)
    return { tags, warnings: events.flatMap(event => (event.type === 'warning' ? [event.message] : [])) }
  }

  test('has no names that are escape sequences, paths or numbers', async () => {
    const names = [
      '1.0',
      '\u001b[31mred',
      '../../etc',
      'a\nb',
      7,
      null,
      {},
      '__proto__',
      'x'.repeat(129),
      '\u202egpj',
    ]
    const { tags, warnings } = await listed({ name: 'a', tags: names })
    expect(tags).toEqual(['1.0', '__proto__'])
    expect(warnings).toEqual([
      expect.stringMatching(/^[\x20-\x7e]+ lists 8 names that are no tags; they are left out$/),
    ])
  })

  test.each([[{ tags: null }], [{ tags: {} }], [{ tags: 'a' }], [{}]])('has none: %j', async page => {
    expect((await listed(page)).tags).toEqual([])
  })
})
