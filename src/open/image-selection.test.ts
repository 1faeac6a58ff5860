import { describe, expect, it } from 'vitest'
import { digestOf } from '../content/digest.js'
import type { ImageEntry, ImageFile } from '../content/image-file.js'
import { MemoryStore } from '../content/memory-store.js'
import { selectImage } from './image-selection.js'

const MANIFEST = digestOf(Buffer.from('manifest'))
const CONFIG = digestOf(Buffer.from('config'))

function fileOf(...images: Partial<ImageEntry>[]): ImageFile {
  const source = new MemoryStore('file')
  return {
    format: 'docker-archive',
    label: 'images.tar',
    images: images.map(image => ({
      names: [],
      digest: undefined,
      configDigest: undefined,
      root: 'image',
      source,
      ...image,
    })),
    [Symbol.asyncDispose]: async () => {},
  }
}

const file = fileOf(
  { names: ['acme/app:1.0', 'acme/app:latest'], configDigest: CONFIG },
  { names: ['docker.io/library/ubuntu:22.04'], digest: MANIFEST },
  { names: ['1.0'] },
)

describe('selectImage', () => {
  it('takes the only image when none is named', () => {
    const one = fileOf({ names: [] })
    expect(selectImage(one)).toBe(one.images[0])
  })

  it.each([
    ['acme/app:1.0', 0],
    ['acme/app', 0],
    ['docker.io/acme/app:latest', 0],
    [`@${CONFIG}`, 0],
    ['#1', 0],
    ['ubuntu:22.04', 1],
    [`@${MANIFEST}`, 1],
    ['#2', 1],
    ['1.0', 2],
  ])('finds %s', (selector, position) => {
    expect(selectImage(file, selector)).toBe(file.images[position])
  })

  it('finds the full names of a layout by their tags, but not those of a docker-archive', () => {
    const names = [['localhost:5000/app:2'], ['localhost:5000/other:1'], ['docker.io/library/app:1', '3']]
    const images = names.map(each => ({ names: each }))
    const layout: ImageFile = { ...fileOf(...images), format: 'oci-layout' }
    expect(selectImage(layout, '2')).toBe(layout.images[0])
    expect(selectImage(layout, '3')).toBe(layout.images[2])
    expect(() => selectImage(layout, '1')).toThrow('images.tar holds 2 images 1')
    expect(() => selectImage(fileOf(...images), '2')).toThrow('images.tar holds no image 2')
  })

  it('lists what there is when it can not know which is meant', () => {
    expect(() => selectImage(file)).toThrow(
      expect.objectContaining({
        kind: 'usage',
        code: 'several-images',
        message: 'images.tar holds 3 images',
        hint: 'Choose one with `--image`: #1 acme/app:1.0 = acme/app:latest, #2 docker.io/library/ubuntu:22.04, #3 1.0',
      }),
    )
  })

  it.each(['acme/app:2.0', '#0', '#4', '#1 ', '@sha256:', 'Not A Name', `@${digestOf(Buffer.from('x'))}`])(
    'says that there is no %s, and what there is',
    selector => {
      expect(() => selectImage(file, selector)).toThrow(
        expect.objectContaining({
          kind: 'not-found',
          code: 'no-such-image',
          message: `images.tar holds no image ${selector}`,
          hint: expect.stringMatching(/^It holds #1 acme\/app:1\.0 = /),
        }),
      )
    },
  )

  it('names images without a name by their digest', () => {
    const nameless = fileOf({ configDigest: CONFIG }, {})
    expect(() => selectImage(nameless)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(`#1 @${CONFIG}, #2 @(broken)`) }),
    )
  })

  it('says that several images have the name', () => {
    const twice = fileOf({ names: ['a:1'] }, { names: ['a:1'] })
    expect(() => selectImage(twice, 'a:1')).toThrow('images.tar holds 2 images a:1')
  })

  it('says that a file holds nothing', () => {
    expect(() => selectImage(fileOf())).toThrow(
      expect.objectContaining({ code: 'nothing-to-push', message: 'images.tar holds no images' }),
    )
  })
})
