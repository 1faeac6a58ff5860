import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { parseRegistriesConf, readRegistriesConf } from './registries-conf.js'
import { Routes } from './routes.js'

const routesOf = async (text: string) => new Routes(await parseRegistriesConf(text, '/etc/r.conf'), [])

describe('R158: registries.conf', () => {
  test.each([
    ['r.example', 'team/app', 'r.example', 'team/app'],
    ['a.example', 'team/app', 'b.example:5000', 'x/app'],
    ['a.example', 'teams/app', 'c.example', 'teams/app'],
    ['a.example', 'team', 'b.example:5000', 'x'],
    ['deep.one.example', 'app', 'deep.one.example', 'app'],
    ['docker.io', 'library/ubuntu', 'hub.example', 'docker/library/ubuntu'],
  ])('%s/%s is at %s/%s', async (registry, name, otherRegistry, otherName) => {
    const routes = await routesOf(`
      [[registry]]
      prefix = "a.example/team"
      location = "b.example:5000/x"
      [[registry]]
      prefix = "a.example"
      location = "c.example"
      [[registry]]
      prefix = "*.one.example"
      insecure = true
      [[registry]]
      prefix = "docker.io"
      location = "hub.example/docker"
    `)
    expect(routes.routeOf(registry, name)).toMatchObject({ registry: otherRegistry, name: otherName })
    expect(routes.routeOf(registry, name).insecure).toBe(registry === 'deep.one.example')
  })

  test('a blocked registry is refused with the file that blocks it', async () => {
    const routes = await routesOf('[[registry]]\nlocation = "a.example/bad"\nblocked = true')
    expect(() => routes.routeOf('a.example', 'bad/app')).toThrow('a.example/bad is blocked by /etc/r.conf')
    expect(routes.routeOf('a.example', 'badly').registry).toBe('a.example')
  })

  test('mirrors keep their order, what is behind the prefix, and what they are for', async () => {
    const routes = await routesOf(`
      unqualified-search-registries = ["docker.io"]
      [[registry]]
      location = "a.example/team"
      mirror-by-digest-only = true
      [[registry.mirror]]
      location = "m1.example"
      insecure = true
      [[registry.mirror]]
      location = "m2.example/x"
      pull-from-mirror = "tag-only"
    `)
    expect(routes.routeOf('a.example', 'team/app').mirrors).toEqual([
      { registry: 'm1.example', name: 'app', insecure: true, reads: 'digest-only' },
      { registry: 'm2.example', name: 'x/app', insecure: false, reads: 'tag-only' },
    ])
  })

  test.each([
    ['[[registry]]\nlocation = ', 'cannot use /etc/r.conf: '],
    ['[[registry]]\ninsecure = true', 'a registry has neither a prefix nor a location'],
    ['[[registry]]\nlocation = "a"\nblocked = "yes"', 'blocked is neither true nor false'],
    [
      '[[registry]]\nlocation = "a"\n[[registry.mirror]]\nlocation = "b"\npull-from-mirror = "x"',
      'pull-from-mirror of b',
    ],
  ])('refuses %j', async (text, message) => {
    await expect(parseRegistriesConf(text, '/etc/r.conf')).rejects.toThrow(message)
  })

  test("the user's file replaces the system's, and the folders' files come after", async () => {
    await using home = await temporaryFolder()
    const write = async (path: string, location: string) => {
      await mkdir(dirname(join(home.path, path)), { recursive: true })
      await writeFile(join(home.path, path), `[[registry]]\nprefix = "${location}"\nlocation = "of/${path}"`)
    }
    const read = async () => {
      const places = { environment: { HOME: home.path }, systemFolder: join(home.path, 'etc') }
      return (await readRegistriesConf(places)).map(({ prefix, location }) => `${prefix} ${location}`)
    }
    expect(await read()).toEqual([])
    await write('etc/containers/registries.conf', 'a')
    await write('etc/containers/registries.conf.d/1.conf', 'b')
    expect(await read()).toEqual([
      'a of/etc/containers/registries.conf',
      'b of/etc/containers/registries.conf.d/1.conf',
    ])
    await write('.config/containers/registries.conf', 'c')
    await write('.config/containers/registries.conf.d/1.conf', 'b')
    expect(await read()).toEqual([
      'c of/.config/containers/registries.conf',
      'b of/.config/containers/registries.conf.d/1.conf',
    ])
  })
})
