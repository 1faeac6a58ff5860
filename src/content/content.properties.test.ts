import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { holds, spoiledBytes, spoiledJson, textOf, unlessRefused } from '../../test/support/properties.js'
import { type Digest, digestOf, hexOf, isDigest, parseDigest } from './digest.js'
import { subjectOfDigestTag } from './digest-tags.js'
import { isDeeperThan } from './json-depth.js'
import { childrenOf, parseJson, parseManifest } from './manifest.js'
import { essenceOf, isIndexType, MediaType } from './media-types.js'
import { formatPlatform, matchesPlatform, parsePlatform, selectPlatform } from './platform.js'
import { printable } from './printable.js'
import { familiarName, formatReference, parseReference } from './reference.js'
import { referrerOf } from './referrer.js'

const digest = fc
  .tuple(fc.constantFrom('sha256', 'sha512'), fc.uint8Array({ minLength: 64, maxLength: 64 }))
  .map(([algorithm, bytes]): Digest => {
    const hex = Buffer.from(bytes).toString('hex')
    return algorithm === 'sha256' ? `sha256:${hex.slice(0, 64)}` : `sha512:${hex}`
  })

const tag = fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}$/)

const reference = fc.record(
  {
    registry: fc.constantFrom(
      'docker.io',
      'localhost',
      'localhost:5000',
      'r.example',
      '[::1]:5000',
      'Host:80',
    ),
    repository: fc.constantFrom(
      'library/ubuntu',
      'a',
      'team/app',
      'a/b/c',
      'a__b',
      'a.b-c/d--e',
      'library/a/b',
    ),
    tag,
    digest,
  },
  { requiredKeys: ['registry', 'repository'] },
)

const referenceText = textOf(
  'docker.io',
  'localhost:5000',
  '/',
  ':',
  '@',
  'sha256:',
  'a'.repeat(64),
  'A',
  'team',
  '..',
  'docker://',
  'index.docker.io/',
  '[::1]',
  '\0',
  '-',
  '1.0',
  'é',
  '\u001b[2J',
)

describe('references', () => {
  it('come back as they were written in full', async () => {
    await holds(reference, given => {
      // Docker Hub's names have at least two parts.
      const { registry, repository } = given
      const full =
        registry === 'docker.io' && !repository.includes('/') ? `library/${repository}` : repository
      const expected = { ...given, repository: full }
      expect(parseReference(formatReference(expected))).toEqual(expected)
      expect(parseReference(`docker://${formatReference(expected)}`)).toEqual(expected)
    })
  })

  it('mean the same as Docker shows them', async () => {
    await holds(reference, ({ registry, repository }) => {
      const found = parseReference(`${registry}/${repository}`)
      expect(parseReference(familiarName(found))).toEqual(found)
    })
  })

  it('are refused in one printable line, or are safe in a URL and a path (R204, R222)', async () => {
    await holds(
      referenceText,
      async text => {
        const found = await unlessRefused(() => parseReference(text))
        if (found === undefined) return
        expect(found.registry).toMatch(/^[A-Za-z0-9.:[\]-]+$/)
        expect(found.repository).toMatch(/^[a-z0-9._/-]+$/)
        expect(found.repository.split('/').filter(part => /^\.*$/.test(part))).toEqual([])
        expect(found.tag ?? '').not.toMatch(/[^A-Za-z0-9_.-]/)
        expect(parseReference(formatReference(found))).toEqual(found)
      },
      500,
    )
    await holds(referenceText, text => {
      try {
        parseReference(text)
      } catch (error) {
        expect(`${error}`).toMatch(/^[\x20-\x7e…]+$/)
      }
    })
  })

  it('are refused soon, however long and however alike they are', async () => {
    const long = fc
      .constantFrom('a-', 'a.', 'a_', 'a__', '-', 'a/', 'A', '.', ':', '@', '[', 'a-a_')
      .map(part => part.repeat(4000))
    await holds(
      long,
      async text => {
        await unlessRefused(() => parseReference(`${text}!`))
        await unlessRefused(() => parseReference(`r.example/${text}!`.slice(0, 4096)))
      },
      24,
    )
  })
})

describe('digests (R204, R208)', () => {
  it('are what hashing gives, and nothing else', async () => {
    await holds(fc.tuple(digest, fc.uint8Array({ maxLength: 50 })), ([given, bytes]) => {
      expect(parseDigest(given)).toBe(given)
      expect(isDigest(digestOf(bytes))).toBe(true)
      expect(hexOf(given)).toMatch(/^[0-9a-f]+$/)
    })
    const text = textOf(
      'sha256',
      ':',
      'a'.repeat(64),
      'A'.repeat(64),
      'b'.repeat(63),
      'sha512',
      '../',
      'md5',
      '+b64',
      '\n',
    )
    await holds(
      text,
      async given => {
        const found = await unlessRefused(() => parseDigest(given))
        expect(found !== undefined).toBe(
          /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/.test(given) && !given.endsWith('\n'),
        )
        await unlessRefused(() => subjectOfDigestTag(given))
      },
      500,
    )
  })
})

describe('platforms', () => {
  it('come back as they were written, and fit themselves', async () => {
    const part = fc.constantFrom(
      'linux',
      'Windows',
      'amd64',
      'x86_64',
      'arm',
      'v7',
      '7',
      'arm64',
      'v8',
      '8',
      'armhf',
      '__proto__',
      'constructor',
      'a.b_c-d',
    )
    const text = fc.array(part, { minLength: 1, maxLength: 3 }).map(parts => parts.join('/'))
    await holds(text, given => {
      const platform = parsePlatform(given)
      expect(parsePlatform(formatPlatform(platform))).toEqual(platform)
      expect(matchesPlatform(platform, platform)).toBe(true)
      const descriptor = {
        mediaType: MediaType.ociManifest,
        digest: digestOf(Buffer.from(given)),
        size: 1,
        platform,
      }
      expect(selectPlatform([descriptor], platform)).toBe(descriptor)
    })
  })

  it('are refused or read, whatever is written', async () => {
    await holds(textOf('linux', '/', 'arm', '(', ')', '10.0', '\n', ' ', 'é'), async text => {
      await unlessRefused(() => parsePlatform(text))
    })
  })
})

const DESCRIPTOR = { mediaType: MediaType.ociLayerGzip, digest: digestOf(Buffer.from('a')), size: 12 }
const IMAGE = {
  schemaVersion: 2,
  mediaType: MediaType.ociManifest,
  artifactType: 'a/b',
  config: { ...DESCRIPTOR, mediaType: MediaType.ociConfig, data: 'e30=' },
  layers: [DESCRIPTOR, { ...DESCRIPTOR, urls: ['https://a.example/x'], annotations: { a: 'b' } }],
  subject: { ...DESCRIPTOR, mediaType: MediaType.ociManifest },
  annotations: { a: 'b' },
}
const INDEX = {
  schemaVersion: 2,
  mediaType: MediaType.ociIndex,
  manifests: [
    {
      ...DESCRIPTOR,
      mediaType: MediaType.ociManifest,
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
    },
    {
      ...DESCRIPTOR,
      mediaType: MediaType.ociManifest,
      platform: { os: 'windows', architecture: 'amd64', 'os.version': '10.0', 'os.features': ['a'] },
    },
  ],
}

describe('manifests (R192, R228, R229)', () => {
  const announced = fc.constantFrom(undefined, ...Object.values(MediaType), 'text/plain', '')
  const body = fc.oneof(spoiledJson(IMAGE), spoiledJson(INDEX), fc.json({ maxDepth: 3 }))

  it('are refused, or all that they name has a digest and a size', async () => {
    await holds(
      fc.tuple(body, announced),
      async ([text, mediaType]) => {
        const manifest = await unlessRefused(() => parseManifest(Buffer.from(text), mediaType, 'manifest x'))
        if (manifest === undefined) return
        expect(isIndexType(manifest.mediaType)).toBe(manifest.kind === 'index')
        for (const child of childrenOf(manifest)) {
          expect(isDigest(child.digest)).toBe(true)
          expect(Number.isSafeInteger(child.size) && child.size >= 0).toBe(true)
          expect(typeof child.mediaType).toBe('string')
        }
        expect(Object.values(manifest.annotations).filter(value => typeof value !== 'string')).toEqual([])
      },
      500,
    )
  })

  it('are refused or read when their bytes are broken, also as referrers', async () => {
    await holds(spoiledBytes(Buffer.from(JSON.stringify(IMAGE))), async bytes => {
      await unlessRefused(() => parseManifest(bytes, undefined, 'manifest x'))
      const descriptor = { mediaType: MediaType.ociManifest, digest: digestOf(bytes), size: bytes.length }
      await unlessRefused(() => referrerOf({ descriptor, bytes }))
    })
  })
})

describe('JSON (R228)', () => {
  it('is counted as deep as it is', async () => {
    const depthOf = (value: unknown): number =>
      typeof value !== 'object' || value === null ? 0 : 1 + Math.max(0, ...Object.values(value).map(depthOf))
    await holds(fc.jsonValue({ maxDepth: 6, stringUnit: 'binary' }), value => {
      const [bytes, depth] = [Buffer.from(JSON.stringify(value)), depthOf(value)]
      expect(isDeeperThan(bytes, depth)).toBe(false)
      if (depth > 0) expect(isDeeperThan(bytes, depth - 1)).toBe(true)
    })
  })

  it('is refused when it is too deep to be written again', () => {
    const nested = (levels: number) => Buffer.from(`${'[{"a":'.repeat(levels)}1${'}]'.repeat(levels)}`)
    expect(() => parseJson(nested(1_000_000), 'it')).toThrow(
      'it is JSON that is nested more than 256 levels deep',
    )
    expect(() => parseJson(nested(129), 'it')).toThrow('256 levels')
    expect(JSON.stringify(parseJson(nested(128), 'it'))).toBe(`${nested(128)}`)
  })
})

describe('text of others (R231)', () => {
  it('has no controls, no line ends and no changes of direction once it is printable', async () => {
    await holds(
      textOf('\u001b[2J', '\r\n', '\u202e', '\u2066', '\u0085', '\ufeff', 'a', '\t', '\u2028'),
      text => {
        const shown = printable(text)
        expect(shown).not.toMatch(/[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/)
        expect(printable(shown)).toBe(shown)
      },
    )
  })

  it('that is a Content-Type has an essence', async () => {
    await holds(textOf('Application/JSON', ';', ' ', 'charset=utf-8', ','), text => {
      expect(essenceOf(text)).toBe(essenceOf(essenceOf(text)))
    })
  })
})
