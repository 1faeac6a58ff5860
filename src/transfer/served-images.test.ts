import { describe, expect, it } from 'vitest'
import { digestOf } from '../content/digest.js'
import type { ImageFile } from '../content/image-file.js'
import { MemoryStore } from '../content/memory-store.js'
import { servedImages } from './served-images.js'

const source = new MemoryStore('file')

function fileOf(label: string, ...names: string[][]): ImageFile {
  return {
    format: 'oci-layout',
    label,
    images: names.map((list, position) => ({
      names: list,
      digest: digestOf(Buffer.from(`${position}`)),
      configDigest: undefined,
      root: `${position}`,
      source,
    })),
    [Symbol.asyncDispose]: async () => {},
  }
}

describe('servedImages', () => {
  it("shows images under their own names, without a host and Docker Hub's namespace", () => {
    const file = fileOf(
      'x.tar',
      ['acme/app:1.0', 'registry.example.com:5000/team/app:2'],
      ['docker.io/library/ubuntu'],
    )
    expect(servedImages(file)).toEqual([
      { repository: 'acme/app', tag: '1.0', root: '0', source },
      { repository: 'team/app', tag: '2', root: '0', source },
      { repository: 'ubuntu', tag: 'latest', root: '1', source },
    ])
  })

  it('shows images that have just a tag under the name of the file', () => {
    expect(servedImages(fileOf('/tmp/My App.oci.tar.gz', ['1.0'], ['2.0']))).toEqual([
      { repository: 'my-app', tag: '1.0', root: '0', source },
      { repository: 'my-app', tag: '2.0', root: '1', source },
    ])
  })

  it('shows an only image without a name as latest, and several by their digests', () => {
    expect(servedImages(fileOf('app.tar', []))).toEqual([
      { repository: 'app', tag: 'latest', root: '0', source },
    ])
    expect(servedImages(fileOf('app.tar', [], []))).toEqual([
      { repository: 'app', root: '0', source },
      { repository: 'app', root: '1', source },
    ])
  })

  it('shows an image whose name is none by its digest', () => {
    expect(servedImages(fileOf('app.tar', ['Not A Name!']))).toEqual([
      { repository: 'app', root: '0', source },
    ])
  })

  it.each([
    ['layout', 'layout'],
    ['./some/folder/', 'folder'],
    ['image.tgz', 'image'],
    ['app.docker.tar.zst', 'app'],
    ['standard input', 'standard-input'],
    ['äöü.tar', 'image'],
    ['__.tar', 'image'],
    ['a__b--c..d.tar', 'image'],
  ])('makes of the file %s the repository %s', (label, repository) => {
    expect(servedImages(fileOf(label, []))[0]?.repository).toBe(repository)
  })
})
