import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holds, spoiledBytes, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { readDockerSettings } from './docker-settings.js'
import { hostnameOf, InsecureRegistries } from './insecure-registries.js'
import { proxiesFrom } from './proxies.js'
import { parseRegistriesConf } from './registries-conf.js'
import { Routes } from './routes.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-test-'))
  await mkdir(join(folder, 'docker'), { recursive: true })
})
afterAll(() => rm(folder, { recursive: true }))

const REGISTRIES_CONF = `unqualified-search-registries = ["docker.io"]
[[registry]]
prefix = "r.example/team"
location = "other.example/a"
insecure = true
blocked = false
mirror-by-digest-only = true
[[registry.mirror]]
location = "mirror.example"
pull-from-mirror = "digest-only"
[[registry]]
prefix = "*.wild.example"
`

describe('registries.conf (R158)', () => {
  it('is refused, or leads every repository to a place, whatever is in it', async () => {
    const text = fc.oneof(
      spoiledBytes(Buffer.from(REGISTRIES_CONF)).map(bytes => `${bytes}`),
      textOf(
        '[[registry]]\n',
        'prefix',
        'location',
        ' = ',
        '"a.example"\n',
        '"__proto__"\n',
        '{',
        '}',
        '[',
        ']',
        '__proto__.',
        'true\n',
        '#',
        "'''",
      ).map(given => `[[registry]]\n${given}`),
      fc.nat(3000).map(depth => `[[registry]]\nlocation = ${'['.repeat(depth)}${']'.repeat(depth)}`),
    )
    await holds(
      text,
      async given => {
        const rules = await unlessRefused(() => parseRegistriesConf(given, 'registries.conf'))
        if (rules === undefined) return
        const routes = new Routes(rules, [])
        for (const name of ['team/app', 'a', '__proto__/x']) {
          const route = await unlessRefused(() => routes.routeOf('r.example', name))
          if (route !== undefined) expect(typeof route.registry && typeof route.name).toBe('string')
        }
      },
      400,
    )
  })
})

describe('daemon.json (R148, R156)', () => {
  const settings = {
    'insecure-registries': ['10.0.0.0/8', 'r.example:5000', 'http://a.example/'],
    'registry-mirrors': ['https://m.example/', 'http://n.example:5000'],
  }

  it('is left out in part, or gives registries and mirrors, whatever is in it', async () => {
    const body = fc.oneof(
      spoiledJson(settings),
      spoiledBytes(Buffer.from(JSON.stringify(settings))),
      fc
        .array(
          textOf('10.0.0.0', '/', '8', '99', '::1', '%eth0', 'https://', 'u:p@', 'a.example', ':', ' '),
          { maxLength: 3 },
        )
        .map(entries => JSON.stringify({ 'insecure-registries': entries, 'registry-mirrors': entries })),
    )
    await holds(body, async given => {
      await writeFile(join(folder, 'docker/daemon.json'), given)
      const environment = { HOME: join(folder, 'home'), XDG_CONFIG_HOME: join(folder, 'none') }
      const found = await readDockerSettings({ environment, systemFolder: folder }, () => {})
      for (const { host } of found.hubMirrors) expect(host).not.toMatch(/[@/?#\s]/)
      const registries = new InsecureRegistries(found.insecureRegistries)
      for (const host of ['r.example:5000', '10.1.2.3', '[::1]:5000', 'fe80::1%eth0'])
        expect(typeof registries.matches(host)).toBe('boolean')
    })
  })
})

describe('addresses of proxies and their exceptions (R160)', () => {
  it('are refused, or say for every URL whether there is a proxy', async () => {
    const words = textOf(
      'http://',
      'proxy.example',
      ':3128',
      'u:p@',
      '10.0.0.0/8',
      'fe80::1%eth0/64',
      '::1/999',
      ',',
      '*',
      '.a.example',
      '[',
      ']',
    )
    await holds(
      fc.tuple(words, words),
      async ([proxy, exceptions]) => {
        const decide = await unlessRefused(() => proxiesFrom({ HTTPS_PROXY: proxy, NO_PROXY: exceptions }))
        if (decide === undefined) return
        for (const url of [
          'https://r.example/v2/',
          'https://10.1.2.3/',
          'https://[fe80::1]/',
          'http://[::1]:5000/',
        ])
          decide(new URL(url))
      },
      500,
    )
    await holds(words, text => expect(typeof hostnameOf(text)).toBe('string'))
  })
})
