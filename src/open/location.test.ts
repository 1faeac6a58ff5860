import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { createContext } from '../content/context.js'
import { parseReference } from '../content/reference.js'
import { parseLocalLocator, parseLocator } from './location.js'
import { openImageFile } from './open-image-file.js'

describe('parseLocator', () => {
  it.each([
    ['localhost:5000/app:1.0', 'localhost:5000/app:1.0'],
    ['docker://ubuntu', 'docker.io/library/ubuntu:latest'],
    ['docker://localhost:5000/app', 'localhost:5000/app'],
    ['ubuntu:22.04', 'docker.io/library/ubuntu:22.04'],
  ])('reads %s as a reference', async (text, reference) => {
    expect(await parseLocator(text, 'registry')).toEqual({
      kind: 'registry',
      reference: parseReference(reference.replace(/:latest$/, '')),
    })
  })

  it('reads docker:// as a reference where a file is expected, too', async () => {
    expect(await parseLocator('docker://localhost:5000/a', 'file')).toMatchObject({ kind: 'registry' })
  })

  it.each(['./image', '../image.tar', '/tmp/a:b', '.', '..', 'C:\\images\\a.tar', 'c:/a.tar', '.\\a.tar'])(
    'reads %s as a path, though nothing is there',
    async path => {
      expect(await parseLocator(path, 'registry')).toEqual({ kind: 'file', path })
    },
  )

  it.each([
    ['oci:out:1.0', { path: 'out', format: 'oci', image: '1.0' }],
    ['oci:out', { path: 'out', format: 'oci' }],
    ['oci-archive:a.tar:v1', { path: 'a.tar', format: 'oci-archive', image: 'v1' }],
    // The name of an image in an archive has a colon of its own.
    ['docker-archive:a.tar:acme/app:1', { path: 'a.tar', format: 'docker-archive', image: 'acme/app:1' }],
    [
      'docker-archive:C:\\a.tar:acme/app:1',
      { path: 'C:\\a.tar', format: 'docker-archive', image: 'acme/app:1' },
    ],
    ['oci:C:/layout', { path: 'C:/layout', format: 'oci' }],
    ['dir:a:b', { path: 'a:b', format: 'dir' }],
  ])('reads %s as skopeo does', async (text, expected) => {
    for (const otherwise of ['file', 'registry'] as const)
      expect(await parseLocator(text, otherwise)).toEqual({ kind: 'file', ...expected })
  })

  it('reads a dash as standard input, with its format where one is said', async () => {
    expect(await parseLocator('-', 'registry')).toEqual({ kind: 'stdio' })
    expect(await parseLocator('oci-archive:-', 'file')).toEqual({ kind: 'stdio', format: 'oci-archive' })
  })

  it('takes a name as a path where a file is expected, or where there is one', async () => {
    expect(await parseLocator('ubuntu', 'file')).toEqual({ kind: 'file', path: 'ubuntu' })
    // The checkout has a folder of that name.
    expect(await parseLocator('src', 'registry')).toEqual({ kind: 'file', path: 'src' })
  })

  it('refuses what is neither', async () => {
    await expect(parseLocator('Not A Name', 'registry')).rejects.toMatchObject({ code: 'bad-reference' })
  })
})

it('refuses to wait for an image at a terminal', async () => {
  const stdin = Object.assign(Readable.from([]), { isTTY: true })
  await expect(openImageFile({ kind: 'stdio' }, createContext(), { stdin })).rejects.toMatchObject({
    kind: 'usage',
    message: 'standard input is a terminal, and no image',
  })
})

it('says where to turn with a reference in place of a file', async () => {
  await expect(parseLocalLocator('docker://localhost:5000/app')).rejects.toMatchObject({
    kind: 'usage',
    message: 'docker://localhost:5000/app is in a registry',
    hint: 'Use `regctl copy` from one registry to another',
  })
})
