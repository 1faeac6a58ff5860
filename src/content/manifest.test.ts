import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.js'
import {
  childrenOf,
  type ImageManifest,
  type Index,
  parseDescriptor,
  parseJson,
  parseManifest,
  rawManifest,
} from './manifest.js'
import { MediaType } from './media-types.js'

const DESCRIPTOR = { mediaType: 'a/b', digest: digestOf(Buffer.from('x')), size: 1 }
const IMAGE = { schemaVersion: 2, config: DESCRIPTOR, layers: [DESCRIPTOR] }
const INDEX = { schemaVersion: 2, manifests: [DESCRIPTOR] }

describe('parseManifest', () => {
  it.each([
    [IMAGE, 'image', MediaType.ociManifest],
    [{ ...IMAGE, mediaType: MediaType.dockerManifest }, 'image', MediaType.dockerManifest],
    [INDEX, 'index', MediaType.ociIndex],
    [{ ...INDEX, mediaType: MediaType.dockerManifestList }, 'index', MediaType.dockerManifestList],
    [{ ...INDEX, mediaType: '' }, 'index', MediaType.ociIndex],
  ])('tells the type by the body when nothing is announced (R177)', (document, kind, mediaType) => {
    expect(parse(document)).toMatchObject({ kind, mediaType })
  })

  it.each(['application/json', 'text/plain', 'application/octet-stream'])(
    'tells the type by the body when %s is announced (R20, R177)',
    announced => {
      expect(parse(INDEX, announced)).toMatchObject({ kind: 'index', mediaType: MediaType.ociIndex })
    },
  )

  it('takes the announced type where the body names none', () => {
    expect(parse(IMAGE, MediaType.dockerManifest).mediaType).toBe(MediaType.dockerManifest)
  })

  it.each([
    { ...IMAGE, ...INDEX },
    { schemaVersion: 2, manifests: [], layers: [] },
    { schemaVersion: 2, manifests: [], config: DESCRIPTOR },
  ])('refuses a body that can be read in two ways (R177, R229)', document => {
    for (const announced of [undefined, MediaType.ociManifest, MediaType.ociIndex]) {
      expect(() => parse(document, announced)).toThrow(
        'manifest x has both "manifests" and "layers" or "config": it can be read in two ways',
      )
    }
  })

  it.each([
    [INDEX, MediaType.ociManifest],
    [IMAGE, MediaType.ociIndex],
    [{ ...IMAGE, mediaType: MediaType.ociIndex }, undefined],
    [{ ...INDEX, mediaType: MediaType.ociManifest }, undefined],
    [{ ...IMAGE, mediaType: MediaType.ociManifest }, MediaType.dockerManifestList],
    [{ ...INDEX, mediaType: MediaType.ociIndex }, MediaType.dockerManifest],
  ])('refuses a body of another kind than it is said to be (R229)', (document, announced) => {
    expect(() => parse(document, announced)).toThrow(
      expect.objectContaining({
        kind: 'corrupt',
        code: 'media-type-mismatch',
        message: expect.stringContaining('its content is of another kind'),
      }),
    )
  })

  it.each([
    [{ schemaVersion: 1, fsLayers: [] }, undefined],
    [{ schemaVersion: 2, fsLayers: [] }, undefined],
    [{ schemaVersion: 2, fsLayers: [], manifests: [] }, undefined],
    [{ schemaVersion: 1 }, 'application/json'],
    [IMAGE, MediaType.dockerSchema1],
    [IMAGE, MediaType.dockerSchema1Signed],
  ])('refuses schema 1 with a clear text (R177, R178)', (document, announced) => {
    expect(() => parse(document, announced)).toThrow(
      "manifest x has Docker's old schema 1, which is not supported",
    )
  })

  it('refuses a media type that nobody knows', () => {
    expect(() => parse({ ...IMAGE, mediaType: 'application/x' })).toThrow(
      expect.objectContaining({ code: 'unsupported' }),
    )
  })

  it.each([
    [{ schemaVersion: 2 }, 'has neither "manifests" nor "config" and "layers"'],
    [{ ...IMAGE, config: null }, 'has no "config"'],
    [{ schemaVersion: 2, layers: [] }, 'has no "config"'],
    [{ ...IMAGE, layers: {} }, 'has "layers" that is no list'],
    [{ schemaVersion: 2, manifests: null }, 'has "manifests" that is no list'],
    [{ ...IMAGE, mediaType: 7 }, '"mediaType" is no string'],
    [{ ...IMAGE, annotations: [] }, 'has "annotations" that is no object'],
    [{ ...IMAGE, layers: [DESCRIPTOR, 'x'] }, 'layers[1] of manifest x is not an object'],
    [[], 'is no JSON object'],
    [null, 'is no JSON object'],
  ])('says what is wrong with %j', (document, message) => {
    expect(() => parse(document)).toThrow(message)
  })

  it('takes layers that are null, as some tools write them', () => {
    expect(parse({ ...IMAGE, layers: null })).toMatchObject({ layers: [] })
  })

  it('keeps subject, artifactType and annotations', () => {
    const extra = { subject: DESCRIPTOR, artifactType: 'a/b', annotations: { note: 'hello' } }
    expect(parse({ ...IMAGE, ...extra })).toMatchObject(extra)
    expect(parse({ ...INDEX, ...extra })).toMatchObject(extra)
    expect(parse({ ...IMAGE, subject: null }).subject).toBeUndefined()
  })

  it('never takes keys of a body for keys of an object (R228)', () => {
    const text = `{"schemaVersion":2,"__proto__":{"manifests":[],"mediaType":"x"},
      "config":${JSON.stringify(DESCRIPTOR)},"layers":[],
      "annotations":{"__proto__":"polluted","constructor":"c","plain":"p"}}`
    const manifest = parseManifest(Buffer.from(text), undefined, 'manifest x')
    expect(manifest.kind).toBe('image')
    expect(Object.keys(manifest.annotations)).toEqual(['__proto__', 'constructor', 'plain'])
    expect(Object.getPrototypeOf(manifest.annotations)).toBeNull()
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
    const keys = parse(IMAGE).annotations
    expect(keys.toString).toBeUndefined()
  })

  it('lives through JSON that is nested as deep as the cap allows (R228)', () => {
    const deep = '['.repeat(1_000_000) + ']'.repeat(1_000_000)
    const text = `{"schemaVersion":2,"config":${JSON.stringify(DESCRIPTOR)},"layers":[],"x":${deep}}`
    expect(() => parseManifest(Buffer.from(text), undefined, 'manifest x')).not.toThrow(RangeError)
  })
})

describe('parseDescriptor', () => {
  it.each([-1, 1.5, 2 ** 53, 1e300, '1', null, true, undefined])('refuses the size %j (R192)', size => {
    expect(() => parseDescriptor({ ...DESCRIPTOR, size }, 'layer x')).toThrow(
      'layer x has a "size" that is no whole number of bytes',
    )
  })

  it.each([0, 1, Number.MAX_SAFE_INTEGER])('takes the size %j (R192)', size => {
    expect(parseDescriptor({ ...DESCRIPTOR, size }, 'layer x').size).toBe(size)
  })

  it('refuses a size that is too large for its digits to be kept (R192)', () => {
    const text = `{"digest":"${DESCRIPTOR.digest}","size":9007199254740993}`
    expect(() => parseDescriptor(parseJson(Buffer.from(text), 'layer x'), 'layer x')).toThrow(
      'no whole number',
    )
  })

  it.each(['sha256:../../etc/passwd', 'sha256:x', 'md5:d41d8cd98f00b204e9800998ecf8427e', ''])(
    'refuses the digest %j (R204, R208)',
    digest => {
      expect(() => parseDescriptor({ ...DESCRIPTOR, digest }, 'layer x')).toThrow(
        expect.objectContaining({
          code: 'bad-digest',
          message: expect.stringMatching(/^layer x: .* is not a digest/),
        }),
      )
    },
  )

  it('refuses one without a digest, or with a media type that is no string', () => {
    expect(() => parseDescriptor({ size: 1 }, 'layer x')).toThrow('layer x has no "digest"')
    expect(() => parseDescriptor({ ...DESCRIPTOR, mediaType: 1 }, 'layer x')).toThrow(
      'layer x has a "mediaType" that is no string',
    )
  })

  it('keeps what we know of it, and takes only strings for annotations and urls', () => {
    const descriptor = parseDescriptor(
      {
        ...DESCRIPTOR,
        urls: ['https://example.org/x', 7],
        annotations: { a: 'b', c: 1 },
        data: 'eA==',
        artifactType: 'a/b',
        platform: { os: 'linux', architecture: 'arm', variant: 'v7', 'os.features': ['x', 1] },
        unknown: true,
      },
      'layer x',
    )
    expect(descriptor).toEqual({
      ...DESCRIPTOR,
      urls: ['https://example.org/x'],
      annotations: Object.assign(Object.create(null), { a: 'b' }),
      data: 'eA==',
      artifactType: 'a/b',
      platform: { os: 'linux', architecture: 'arm', variant: 'v7', 'os.features': ['x'] },
    })
  })
})

describe('parseJson', () => {
  it('passes over a byte order mark', () => {
    expect(parseJson(Buffer.from('\ufeff{"a":1}'), 'x')).toEqual({ a: 1 })
  })

  it.each([Buffer.from('{'), Buffer.from(''), Buffer.from([0x22, 0xff, 0x22])])(
    'refuses what is not JSON in UTF-8',
    bytes => {
      expect(() => parseJson(bytes, 'config x')).toThrow(
        expect.objectContaining({ message: 'config x is not JSON', code: 'bad-json' }),
      )
    },
  )
})

describe('a manifest', () => {
  it('names its children: config and layers, or manifests', () => {
    const other = { ...DESCRIPTOR, digest: digestOf(Buffer.from('y')) }
    expect(childrenOf(parse({ ...IMAGE, layers: [other] })).map(child => child.digest)).toEqual([
      DESCRIPTOR.digest,
      other.digest,
    ])
    expect(childrenOf(parse(INDEX))).toEqual([DESCRIPTOR])
  })

  it('made here has the descriptor of its bytes', () => {
    const bytes = Buffer.from('{}')
    expect(rawManifest(MediaType.ociIndex, bytes)).toEqual({
      bytes,
      descriptor: { mediaType: MediaType.ociIndex, digest: digestOf(bytes), size: 2 },
    })
  })
})

function parse(document: unknown, announced?: string): ImageManifest | Index {
  return parseManifest(Buffer.from(JSON.stringify(document)), announced, 'manifest x')
}
