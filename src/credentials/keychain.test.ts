import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openKeychain } from './keychain.js'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-keychain-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
})

/** Opens a keychain as on macOS, with a program of ours in the place of the one that speaks to the system. */
async function open(script: string, platform: NodeJS.Platform = 'darwin', promptLimitMs?: number) {
  const path = join(folder, 'worker.mjs')
  await writeFile(path, `const say = answer => console.log(JSON.stringify(answer))\n${script}`)
  return await openKeychain({
    platform,
    environment: { PATH: process.env.PATH },
    worker: pathToFileURL(path),
    ...(promptLimitMs !== undefined && { promptLimitMs }),
  })
}

/** Keeps entries in memory, as the system does. */
const MEMORY = `
  import { createInterface } from 'node:readline'
  const entries = new Map()
  say({ value: true })
  for await (const line of createInterface({ input: process.stdin })) {
    const { act, account, text } = JSON.parse(line)
    if (act === 'get') say({ value: entries.get(account) ?? null })
    if (act === 'erase') say({ value: entries.delete(account) })
    if (act === 'store') say({ value: entries.set(account, text) && true })
    if (act === 'list') say({ value: [...entries].map(([account, password]) => ({ account, password })) })
  }`
/** Answers every request in the same way. */
const always = (answer: object) => `
  say({ value: true })
  process.stdin.on('data', () => say(${JSON.stringify(answer)}))`

describe('the keychain', () => {
  it('keeps, lists and erases credentials', async () => {
    const keychain = await open(MEMORY)
    expect(keychain.label).toBe('the keychain (macOS Keychain)')
    expect(await keychain.get('r.example:5000')).toBeUndefined()
    await keychain.store('r.example:5000', { username: 'ädä', secret: ' "secret"\n' })
    await keychain.store('a.example', { username: '<token>', secret: 'refresh' })
    expect(await keychain.get('r.example:5000')).toEqual({ username: 'ädä', secret: ' "secret"\n' })
    expect([...(await keychain.list())]).toEqual([
      ['a.example', '<token>'],
      ['r.example:5000', 'ädä'],
    ])
    expect(await keychain.erase('r.example:5000')).toBe(true)
    expect(await keychain.erase('r.example:5000')).toBe(false)
  })

  it('R123, R134: has one entry for each registry, however it is written', async () => {
    const keychain = await open(MEMORY)
    await keychain.store('https://R.example:5000/v2/', { username: 'ada', secret: 's' })
    await keychain.store('docker.io', { username: 'hub', secret: 's' })
    expect(await keychain.get('r.example:5000')).toMatchObject({ username: 'ada' })
    expect(await keychain.get('r.example')).toBeUndefined()
    for (const name of ['https://index.docker.io/v1/', 'index.docker.io', 'registry-1.docker.io'])
      expect(await keychain.get(name)).toMatchObject({ username: 'hub' })
    expect([...(await keychain.list()).keys()]).toEqual(['https://index.docker.io/v1/', 'r.example:5000'])
  })

  it('keeps what Docker stores below a registry apart from its login', async () => {
    const keychain = await open(MEMORY)
    await keychain.store('docker.io', { username: 'ada', secret: 'login' })
    await keychain.store('https://index.docker.io/v1/refresh-token', { username: 'ada', secret: 'token' })
    expect(await keychain.get('https://index.docker.io/v1/')).toMatchObject({ secret: 'login' })
    expect(await keychain.get('https://index.docker.io/v1/refresh-token')).toMatchObject({ secret: 'token' })
    expect(await keychain.get('https://index.docker.io/v1/access-token')).toBeUndefined()
  })

  it('answers requests made at once, each with its own', async () => {
    const keychain = await open(MEMORY)
    const names = ['a.example', 'b.example', 'c.example']
    await Promise.all(names.map(name => keychain.store(name, { username: name, secret: 's' })))
    const found = await Promise.all(names.map(name => keychain.get(name)))
    expect(found.map(credential => credential?.username)).toEqual(names)
  })

  it('leaves entries out of its list that are not ours', async () => {
    const entries = [{ account: 'x', password: 'plain' }, { account: 'y', password: '{}' }, 7]
    expect(await (await open(always({ value: entries }))).list()).toEqual(new Map())
  })

  it('says so when an entry is not ours', async () => {
    const keychain = await open(always({ value: 'hunter2' }))
    await expect(keychain.get('docker.io')).rejects.toMatchObject({
      code: 'bad-keychain-entry',
      message:
        'the entry for https://index.docker.io/v1/ in the keychain (macOS Keychain) is not as regctl writes it',
      hint: 'Log in to docker.io again',
    })
  })

  it.each([
    "Couldn't access platform storage: Secret Service: unlock prompt was dismissed",
    'zbus error: org.freedesktop.Secret.Error.IsLocked: Cannot get secret of a locked object',
    'Platform failure: User interaction is not allowed.',
  ])('is locked: %s', async problem => {
    const keychain = await open(always({ problem, stage: 'request' }))
    await expect(keychain.get('r.example')).rejects.toMatchObject({
      kind: 'failed',
      code: 'keychain-locked',
      message: 'the keychain (macOS Keychain) is locked and was not unlocked',
    })
  })

  it('is locked when nobody answers its prompt, and the process that waits for it ends', async () => {
    const keychain = await open(`say({ value: true }); setInterval(() => {}, 1000)`, 'darwin', 100)
    await expect(keychain.list()).rejects.toMatchObject({
      code: 'keychain-locked',
      message: 'the keychain (macOS Keychain) is locked and nobody unlocked it within 0.1 s',
    })
    await expect(keychain.list()).rejects.toMatchObject({ code: 'keychain-failed' })
  })

  it('fails in the words of the system, without what a terminal would obey', async () => {
    const keychain = await open(always({ problem: 'no space\u001b[31m left', stage: 'request' }))
    await expect(keychain.erase('r.example')).rejects.toMatchObject({
      code: 'keychain-failed',
      message: 'the keychain (macOS Keychain) failed: no space[31m left',
    })
  })

  it.each([
    [`say({ problem: 'Platform failure: no default keychain', stage: 'open' })`, 'no default keychain'],
    [
      `say({ problem: 'Cannot find native binding', stage: 'load' })`,
      `@napi-rs/keyring has no build for ${process.platform}-${process.arch}, or it is not installed`,
    ],
    [`process.exit(1)`, 'the process that speaks to it ended'],
    [`console.log('nonsense')`, 'the process that speaks to it ended'],
  ])('is not there: %s', async (script, why) => {
    await expect(open(script)).rejects.toMatchObject({
      kind: 'failed',
      code: 'no-keychain',
      message: `there is no keychain: ${why}`,
      hint: 'To log in without one, use `--store file`, set DOCKER_AUTH_CONFIG, or give --username with --password-stdin to each command',
    })
  })

  it('is not there on Linux without a session bus; the hint tells how to start one', async () => {
    await expect(open(MEMORY, 'linux')).rejects.toMatchObject({
      code: 'no-keychain',
      message: 'there is no keychain: there is no D-Bus session (DBUS_SESSION_BUS_ADDRESS is not set)',
      hint: expect.stringContaining('gnome-keyring-daemon --unlock'),
    })
  })

  it('refuses what does not fit into an entry on Windows', async () => {
    const keychain = await open(MEMORY, 'win32')
    await keychain.store('r.example', { username: 'ada', secret: 's'.repeat(1200) })
    await expect(
      keychain.store('r.example', { username: 'ada', secret: 's'.repeat(1300) }),
    ).rejects.toMatchObject({
      code: 'secret-too-long',
      message:
        'the secret for r.example is too long for the keychain (Windows Credential Manager): 2660 of 2560 bytes',
      hint: 'Keep it in a file with `--store file`',
    })
  })

  it.each([
    ['r.example\nhost=evil', 'ada', 'the name of the registry has control characters'],
    ['', 'ada', 'the name of the registry is empty'],
    ['r.example', 'ada\0', 'the user name has control characters'],
    ['r.example', '', 'the user name is empty'],
  ])('R221, R222: refuses %j with user %j', async (server, username, message) => {
    const keychain = await open(MEMORY)
    await expect(keychain.store(server, { username, secret: 's' })).rejects.toMatchObject({
      kind: 'usage',
      message,
    })
  })
})
