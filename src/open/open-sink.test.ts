import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { parseLocalLocator } from './location.js'
import { formatFor, openImageSink, statedNames } from './open-sink.js'

let folder: TemporaryFolder
beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('openImageSink', () => {
  const stdout = new PassThrough()

  it('refuses a terminal for an archive, with a way out', async () => {
    const terminal = Object.assign(new PassThrough(), { isTTY: true })
    const opening = openImageSink({ kind: 'stdio' }, { stdout: terminal, format: 'docker-archive' })
    await expect(opening).rejects.toMatchObject({
      kind: 'usage',
      code: 'stdout-is-terminal',
      message: 'standard output is a terminal, and no place for an image',
      hint: 'Name a file, or pipe it: `regctl pull REF - | docker load`',
    })
  })

  it.each(['oci', 'dir'] as const)('refuses to write the folder %s to a stream', async format => {
    await expect(openImageSink({ kind: 'stdio' }, { stdout, format })).rejects.toMatchObject({
      kind: 'usage',
      code: 'not-a-stream',
    })
  })

  it.each(['docker-archive', 'oci-archive', 'oci', 'dir'] as const)(
    'writes nothing for %s before the first put, nor makes folders',
    async format => {
      const path = join(folder.path, 'new/out')
      await using sink = await openImageSink({ kind: 'file', path }, { stdout, format })
      expect(
        await sink
          .hasManifest(`sha256:${'0'.repeat(64)}`, { signal: AbortSignal.abort(), emit() {} })
          .catch(() => false),
      ).toBe(false)
      expect(await readdir(folder.path)).toEqual([])
    },
  )
})

describe('formatFor', () => {
  it.each([
    ['image.tar', undefined, 'docker-archive'],
    ['image', undefined, 'oci'],
    ['image.d/', undefined, 'oci'],
    ['image', 'docker-archive', 'docker-archive'],
    ['oci-archive:image', undefined, 'oci-archive'],
    ['-', undefined, 'docker-archive'],
  ] as const)('takes %s with --format %s for %s', async (text, asked, format) => {
    expect(await formatFor(await parseLocalLocator(text), asked)).toBe(format)
  })

  it('refuses two formats at once', async () => {
    const locator = await parseLocalLocator('oci:image')
    await expect(formatFor(locator, 'dir')).rejects.toThrow('the destination is to be oci and dir at once')
    expect(await formatFor(locator, 'oci')).toBe('oci')
  })
})

describe('statedNames', () => {
  it('are references in a docker-archive, and whatever stands there in a layout', async () => {
    const docker = await parseLocalLocator('docker-archive:image.tar:app:1')
    expect(statedNames(docker, 'docker-archive')).toEqual({
      repository: 'docker.io/library/app',
      tags: ['1'],
    })
    const oci = await parseLocalLocator('oci:layout:any thing')
    expect(statedNames(oci, 'oci')).toEqual({ tags: ['any thing'] })
    expect(statedNames({ kind: 'file', path: 'image.tar' }, 'docker-archive')).toBeUndefined()
  })
})
