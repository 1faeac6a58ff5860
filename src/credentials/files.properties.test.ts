import { Readable } from 'node:stream'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holds, spoiledBytes, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { dockerConfigPlace, parseDockerConfig } from './docker-config.js'
import { serveHelper } from './helper-protocol.js'
import { matchKey, matchLongestKey, namespaceOf, registryOf, serverOf } from './registry-keys.js'

const auth = Buffer.from('ada:secret').toString('base64')
const CONFIG = {
  auths: {
    'r.example': { auth },
    'https://index.docker.io/v1/': { auth, identitytoken: 'i' },
    'r.example/team': { username: 'u', password: 'p', registrytoken: '' },
    'localhost:5000': {},
  },
  credHelpers: { 'gcr.io': 'gcloud' },
  credsStore: 'pass',
  HttpHeaders: { 'X-A': 'b' },
}

describe('files with credentials (R122, R126, R228)', () => {
  it('are refused, or give names and secrets that are text, whatever is in them', async () => {
    const body = fc.oneof(
      spoiledJson(CONFIG).map(json => Buffer.from(json)),
      spoiledBytes(Buffer.from(JSON.stringify(CONFIG))),
      fc.json({ maxDepth: 3 }).map(json => Buffer.from(json)),
    )
    await holds(
      fc.tuple(body, fc.boolean()),
      async ([bytes, hasNamespaces]) => {
        const config = await unlessRefused(() => parseDockerConfig(bytes, 'config.json'))
        if (config === undefined) return
        const warnings: string[] = []
        const place = dockerConfigPlace(config, {
          warn: line => warnings.push(line),
          ask: async () => undefined,
          hasNamespaces,
        })
        for (const registry of [
          'r.example',
          'docker.io',
          'localhost:5000',
          '__proto__',
          'constructor',
          'gcr.io',
        ]) {
          const found = (await unlessRefused(() => place.find(registry, 'team/app')))?.credential
          if (found?.kind === 'password')
            expect(typeof found.username && typeof found.password).toBe('string')
          else if (found !== undefined) expect(typeof found.token).toBe('string')
        }
        for (const entry of (await unlessRefused(() => place.list())) ?? [])
          expect(typeof entry.registry).toBe('string')
        for (const warning of warnings) expect(warning).not.toContain('secret')
      },
      400,
    )
  })

  it('have keys that are found by the registry that they come down to (R123, R124)', async () => {
    const key = textOf(
      'https://',
      'http://',
      'r.example',
      ':5000',
      '/',
      'v1/',
      'team',
      'index.docker.io',
      'docker.io',
      'R.Example',
      '__proto__',
    )
    await holds(fc.tuple(fc.array(key, { maxLength: 5 }), key), ([keys, wanted]) => {
      const entries = new Map(keys.map(name => [name, name]))
      const registry = registryOf(wanted)
      expect(registryOf(serverOf(registry))).toBe(registry)
      expect(typeof namespaceOf(wanted)).toBe('string')
      for (const match of [matchKey, matchLongestKey]) {
        const found = match(entries, registry, 'team/app')
        if (found !== undefined) expect(keys).toContain(found.key)
        for (const [name] of entries)
          if (registryOf(name) === registry) expect(matchKey(entries, registry)).toBeDefined()
      }
    })
  })
})

describe('the protocol of credential helpers (R133, R135)', () => {
  async function ask(action: string, input: string) {
    const kept = new Map<string, { username: string; secret: string }>()
    const store = {
      get: async (server: string) => kept.get(server),
      store: async (server: string, entry: { username: string; secret: string }) =>
        void kept.set(server, entry),
      erase: async (server: string) => kept.delete(server),
      list: async () => new Map([...kept].map(([server, { username }]) => [server, username])),
    }
    const options = {
      name: 'docker-credential-x',
      packageName: 'x',
      version: '1',
      openStore: async () => store as never,
    }
    const outcome = await serveHelper([action], { ...options, input: Readable.from([Buffer.from(input)]) })
    const again =
      kept.size === 0
        ? undefined
        : await serveHelper(['get'], { ...options, input: Readable.from([[...kept.keys()][0] ?? '']) })
    return { outcome, again }
  }

  it('answers one line to anything, and 0 or 1', async () => {
    const request = fc.oneof(
      spoiledJson({ ServerURL: 'https://r.example', Username: 'u', Secret: 's' }),
      textOf('{', '"', 'ServerURL', ':', '}', '\n', '\u001b[2J'),
    )
    await holds(
      fc.tuple(fc.constantFrom('store', 'get', 'erase', 'list', '__proto__'), request),
      async ([action, input]) => {
        const { outcome } = await ask(action, input)
        expect([0, 1]).toContain(outcome.exitCode)
        expect(outcome.output.replace(/\n$/, '')).not.toMatch(/[\x00-\x08\x0a-\x1f\x7f]/)
      },
    )
  })

  it('gives back what was stored', async () => {
    const word = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
    await holds(fc.tuple(word, word), async ([username, secret]) => {
      const entry = { ServerURL: 'https://r.example', Username: username, Secret: secret }
      const { outcome, again } = await ask('store', JSON.stringify(entry))
      expect(outcome).toEqual({ output: '', exitCode: 0 })
      expect(JSON.parse(again?.output ?? '')).toEqual(entry)
    })
  })
})
