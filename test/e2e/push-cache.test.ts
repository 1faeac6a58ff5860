import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { writeDockerArchive } from '../support/archive-builder.js'
import { regctlWith } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry } from './test-registry.js'

describe('pushing a docker-archive again', () => {
  it('sends no layer, and does not read any; --no-cache does, and finds what was damaged since', async () => {
    await using registry = await startRegistry()
    await using folder = await temporaryFolder()
    const archive = join(folder.path, 'image.tar')
    await writeDockerArchive(archive, [{ layers: [{ motd: 'welcome to the machine\n' }] }])
    const push = (name: string, ...flags: string[]) =>
      regctlWith({ home: folder.path }, 'push', archive, `${registry.host}/${name}:1`, '--quiet', ...flags)
    const first = await push('app')
    expect(first).toMatchObject({ code: 0, stderr: '' })
    const before = registry.requests().length
    const again = await push('app')
    expect(again).toMatchObject({ code: 0, stdout: first.stdout, stderr: '' })
    const asked = registry.requests().slice(before)
    expect(asked.filter(request => !request.startsWith('HEAD /v2/app/manifests/'))).toEqual([])

    const bytes = await readFile(archive)
    bytes.write('W', bytes.indexOf('welcome to the machine'))
    await writeFile(archive, bytes)
    // What is named is in the registry, and is what the config says: it is the file that is not.
    expect(await push('app')).toMatchObject({ code: 0, stdout: first.stdout })
    expect(await push('app', '--no-cache')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('uncompressed, should have the digest'),
    })
    // Where its bytes are needed they are looked at.
    expect(await push('other')).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('uncompressed, should have the digest'),
    })
    const digest = ['digest', archive]
    const known = await regctlWith({ home: folder.path }, ...digest)
    expect(first.stdout.trim().endsWith(known.stdout.trim())).toBe(true)
    expect(await regctlWith({ home: folder.path }, ...digest, '--no-cache')).toMatchObject({ code: 6 })
  })
})
