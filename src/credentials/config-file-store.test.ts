import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ConfigFileStore } from './config-file-store.js'

let folder: string
let path: string
let warnings: string[]

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-config-'))
  path = join(folder, '.docker', 'config.json')
  warnings = []
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

const open = (at = path) => new ConfigFileStore(at, { warn: message => warnings.push(message) })
const base64 = (text: string) => Buffer.from(text).toString('base64')
const ada = { username: 'ada', secret: 'correct horse' }
const modeOf = async (name: string) => (await stat(name)).mode & 0o777

/** Writes a file as somebody else left it. */
async function given(text: string, mode = 0o600): Promise<void> {
  await mkdir(join(folder, '.docker'), { recursive: true })
  await writeFile(path, text)
  await chmod(path, mode)
}

describe('credentials in config.json', () => {
  it('are written as Docker writes them, in a file and a folder for their owner alone', async () => {
    await open().store('localhost:5000', ada)
    expect(await readFile(path, 'utf8')).toBe(
      `{\n\t"auths": {\n\t\t"localhost:5000": {\n\t\t\t"auth": "${base64('ada:correct horse')}"\n\t\t}\n\t}\n}`,
    )
    expect(await modeOf(path)).toBe(0o600)
    expect(await modeOf(join(folder, '.docker'))).toBe(0o700)
    expect(await readdir(join(folder, '.docker'))).toEqual(['config.json'])
  })

  it('are found, listed and erased again', async () => {
    const store = open()
    expect(store.label).toBe(path)
    expect(await store.get('localhost:5000')).toBeUndefined()
    expect(await store.erase('localhost:5000')).toBe(false)
    await store.store('localhost:5000', { username: 'ädä', secret: 'a:b:c ' })
    await store.store('docker.io', { username: '<token>', secret: 'refresh' })
    expect(await store.get('https://localhost:5000/v2/')).toEqual({ username: 'ädä', secret: 'a:b:c ' })
    expect([...(await store.list())]).toEqual([
      ['localhost:5000', 'ädä'],
      ['https://index.docker.io/v1/', '<token>'],
    ])
    expect(await store.erase('localhost:5000')).toBe(true)
    expect(await store.get('localhost:5000')).toBeUndefined()
    expect(await store.get('index.docker.io')).toEqual({ username: '<token>', secret: 'refresh' })
  })

  it('R126: have identity tokens in their own field, beside a user name', async () => {
    await open().store('r.example', { username: '<token>', secret: 'refresh' })
    expect(JSON.parse(await readFile(path, 'utf8')).auths['r.example']).toEqual({
      auth: base64('<token>:'),
      identitytoken: 'refresh',
    })
    await open().store('r.example', ada)
    expect(JSON.parse(await readFile(path, 'utf8')).auths['r.example']).toEqual({
      auth: base64('ada:correct horse'),
    })
  })

  it('R132: leave every other field as it was, in order and indentation', async () => {
    const fileWith = (auth: string) =>
      `{
  "psFormat": "table",
  "auths": {
    "b.example": {
      "auth": "${auth}",
      "email": "ada@example.org",
      "x-own": [1, 2]
    },
    "a.example": {}
  },
  "HttpHeaders": { "User-Agent": "x" },
  "__proto__": { "mine": true }
}
`
    const written = (text: string) => `${JSON.stringify(JSON.parse(text), undefined, 2)}\n`
    await given(fileWith(base64('old:old')))
    await open().store('b.example', ada)
    expect(await readFile(path, 'utf8')).toBe(written(fileWith(base64('ada:correct horse'))))
  })

  it('R132: keep a stricter mode, and drop what a laxer one allows', async () => {
    await given('{}', 0o644)
    await open().store('r.example', ada)
    expect(await modeOf(path)).toBe(0o600)
    await chmod(path, 0o400)
    await open().store('r.example', ada)
    expect(await modeOf(path)).toBe(0o400)
  })

  it('R132: are written where a link leads, also when nothing is there yet', async () => {
    const real = join(folder, 'real.json')
    await mkdir(join(folder, '.docker'))
    await symlink('../real.json', path)
    await open().store('r.example', ada)
    await open().store('s.example', ada)
    expect((await lstat(path)).isSymbolicLink()).toBe(true)
    expect(Object.keys(JSON.parse(await readFile(real, 'utf8')).auths)).toEqual(['r.example', 's.example'])
    expect((await readdir(folder)).sort()).toEqual(['.docker', 'real.json'])
  })

  it('R124, R132: are erased under every name of the registry', async () => {
    const entry = { auth: base64('ada:x') }
    const auths = {
      'https://index.docker.io/v1/': entry,
      'docker.io': entry,
      'registry-1.docker.io': entry,
      'r.example': entry,
      'https://r.example/v2/': {},
    }
    await given(JSON.stringify({ auths, credsStore: 'x' }))
    expect(await open().erase('docker.io')).toBe(true)
    expect(Object.keys(JSON.parse(await readFile(path, 'utf8')).auths)).toEqual([
      'r.example',
      'https://r.example/v2/',
    ])
    expect(await open().erase('r.example')).toBe(true)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ auths: {}, credsStore: 'x' })
  })

  it('are not there where a helper left its mark', async () => {
    await given(JSON.stringify({ auths: { 'r.example': {} } }))
    expect(await open().get('r.example')).toBeUndefined()
    expect(await open().list()).toEqual(new Map())
    expect(await open().erase('r.example')).toBe(false)
    expect(JSON.parse(await readFile(path, 'utf8'))).toEqual({ auths: {} })
  })

  it.each([{ credsStore: 'pass' }, { credHelpers: { 'r.example': 'pass' } }])(
    'R125: come with a warning when Docker asks a helper: %j',
    async settings => {
      await given(JSON.stringify(settings))
      await open().store('r.example', ada)
      expect(warnings).toEqual([
        `${path} has Docker ask docker-credential-pass for r.example, so Docker will not look at the login kept there`,
      ])
    },
  )

  it('R125: come without a warning when the helper is for another registry', async () => {
    await given(JSON.stringify({ credHelpers: { 'other.example': 'pass' } }))
    await open().store('r.example', ada)
    expect(warnings).toEqual([])
  })

  it.each([
    ['{"auths": {"r.example": {"auth": "c2VjcmV0OnNlY3JldA==", }}}', 'JSON'],
    ['[]', 'JSON object'],
    ['{"auths": []}', 'its "auths" is no object'],
  ])('are not written into a broken file: %s', async (text, why) => {
    await given(text)
    await expect(open().store('r.example', ada)).rejects.toMatchObject({
      code: 'bad-docker-config',
      message: expect.stringMatching(new RegExp(`^cannot read the credentials in ${path}: .*${why}`)),
      hint: 'Repair the file, or move it away',
    })
    expect(await readFile(path, 'utf8')).toBe(text)
    expect(await readdir(join(folder, '.docker'))).toEqual(['config.json'])
  })

  it('are written into a file that is empty', async () => {
    await given('\n')
    await open().store('r.example', ada)
    expect(await open().get('r.example')).toEqual(ada)
  })

  it('say what could not be written', async () => {
    await writeFile(join(folder, '.docker'), 'a file')
    await expect(open().store('r.example', ada)).rejects.toMatchObject({
      code: 'config-not-written',
      message: expect.stringMatching(`^cannot write ${path}: E(NOTDIR|EXIST)$`),
      hint: 'DOCKER_CONFIG names another folder for it',
    })
  })

  it('are all there after many were stored at once', async () => {
    const names = Array.from({ length: 50 }, (_, index) => `r${index}.example`)
    await Promise.all(names.map(name => open().store(name, { username: name, secret: 's' })))
    expect((await open().list()).size).toBe(50)
  })

  it.each([
    ['r.example\n', 'ada', 'the name of the registry has control characters'],
    ['r.example', 'a\u0000', 'the user name has control characters'],
    ['r.example', 'a:b', 'a user name cannot have a colon'],
  ])('R222: are refused for %j with user %j', async (server, username, message) => {
    await expect(open().store(server, { username, secret: 's' })).rejects.toMatchObject({
      kind: 'usage',
      message,
    })
  })
})
