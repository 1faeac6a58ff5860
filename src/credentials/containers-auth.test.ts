import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { containersAuthPaths, openContainersAuth } from './containers-auth.js'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const reading = { warn() {}, ask: async () => undefined }

describe('R130: the places of auth.json', () => {
  const linux = { platform: 'linux', userId: 7 } as const
  test.each([
    [{ HOME: '/h', XDG_RUNTIME_DIR: '/r' }, ['/r/containers/auth.json', '/h/.config/containers/auth.json']],
    [{ HOME: '/h', XDG_CONFIG_HOME: '/c' }, ['/run/containers/7/auth.json', '/c/containers/auth.json']],
  ])('%j are %j', (environment, paths) => {
    expect(containersAuthPaths(environment, linux)).toEqual(paths)
  })

  test('is one outside Linux', () => {
    expect(containersAuthPaths({ HOME: '/h' }, { platform: 'darwin', userId: 7 })).toEqual([
      '/h/.config/containers/auth.json',
    ])
  })
})

test('R131: the longest key wins, helpers are for hosts, and there is no store of all', async () => {
  await using folder = await temporaryFolder()
  const path = join(folder.path, 'containers/auth.json')
  await mkdir(join(folder.path, 'containers'))
  const document = {
    auths: {
      'r.example': { auth: base64('host:x') },
      'r.example/team': { auth: base64('team:x') },
    },
    credHelpers: { 'helped.example': 'own' },
    credsStore: 'all',
  }
  await writeFile(path, JSON.stringify(document))
  const asked: string[] = []
  const place = await openContainersAuth(path, {
    warn() {},
    ask: async ({ helper, server }) => {
      asked.push(`${helper} ${server}`)
      return undefined
    },
  })
  expect(await place?.find('r.example', 'team/app')).toMatchObject({
    key: 'r.example/team',
    credential: { username: 'team', from: `${path} (r.example/team)` },
  })
  expect(await place?.find('r.example', 'other')).toMatchObject({ credential: { username: 'host' } })
  expect(await place?.find('helped.example', 'team/app')).toBeUndefined()
  expect(asked).toEqual(['own helped.example'])
})

test('a file that is not there is fine', async () => {
  expect(await openContainersAuth('/does/not/exist/auth.json', reading)).toBeUndefined()
})
