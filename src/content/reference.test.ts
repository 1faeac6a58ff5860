import { describe, expect, it } from 'vitest'
import { digestOf } from './digest.js'
import {
  familiarName,
  formatReference,
  isRepositoryName,
  isTag,
  parseReference,
  repositoryOf,
  tagOrDigest,
} from './reference.js'

const DIGEST = digestOf(Buffer.from('hello'))
const HEX = DIGEST.slice(7)

describe('parseReference', () => {
  it.each([
    ['ubuntu', 'docker.io/library/ubuntu'],
    ['ubuntu:22.04', 'docker.io/library/ubuntu:22.04'],
    ['a/b', 'docker.io/a/b'],
    ['localhost:5000/team/app:1.0', 'localhost:5000/team/app:1.0'],
    ['example.org/a/b/c/d:v_1.2-x', 'example.org/a/b/c/d:v_1.2-x'],
    [`example.org/a@${DIGEST}`, `example.org/a@${DIGEST}`],
    ['example.org/a__b/c---d/e.f_g', 'example.org/a__b/c---d/e.f_g'],
    ['example.org/a:_x', 'example.org/a:_x'],
  ])('reads %s as %s (R138)', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it.each([
    'a..b',
    'a___b',
    '-a',
    'a-',
    'a.',
    'a/',
    '/a',
    'a//b',
    'a:',
    'a:-x',
    'a:.x',
    'a b',
    'a\n',
    'a:1\n',
    '',
    ':1',
    'example.org/',
    'a@',
    'a@sha256:12',
    `a@${DIGEST}@${DIGEST}`,
    `a@sha256:${HEX.toUpperCase()}`,
    `a@sha1:${HEX.slice(0, 40)}`,
    `@${DIGEST}`,
  ])('refuses %j (R138)', text => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ kind: 'usage', code: 'bad-reference' }),
    )
  })

  it.each([
    ['a.b/c', 'a.b/c'],
    ['a:1/c', 'a:1/c'],
    ['localhost/c', 'localhost/c'],
    ['A/c', 'A/c'],
    ['ab/c', 'docker.io/ab/c'],
    ['a-b/c', 'docker.io/a-b/c'],
  ])('takes the first part of %s for a host when it looks like one (R139)', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it.each([
    ['FOO/bar', 'FOO', 'bar', undefined],
    ['foo/bar', 'docker.io', 'foo/bar', undefined],
    ['localhost/x', 'localhost', 'x', undefined],
    ['localhost', 'docker.io', 'library/localhost', undefined],
    ['host:5000', 'docker.io', 'library/host', '5000'],
    ['foo_bar.com:8080', 'docker.io', 'library/foo_bar.com', '8080'],
  ])('reads the odd %s as Docker does (R140)', (text, registry, repository, tag) => {
    expect(parseReference(text)).toEqual({ registry, repository, ...(tag !== undefined && { tag }) })
  })

  it.each([
    ['docker.io/ubuntu', 'docker.io/library/ubuntu'],
    ['index.docker.io/ubuntu', 'docker.io/library/ubuntu'],
    ['index.docker.io/a/b', 'docker.io/a/b'],
    ['registry-1.docker.io/ubuntu', 'registry-1.docker.io/ubuntu'],
    ['example.org/ubuntu', 'example.org/ubuntu'],
  ])('normalises Docker Hub alone: %s is %s (R141)', (text, full) => {
    expect(formatReference(parseReference(text))).toBe(full)
  })

  it('keeps tag and digest when both are given, and asks by digest (R142)', () => {
    const reference = parseReference(`a:1@${DIGEST}`)
    expect(reference).toMatchObject({ tag: '1', digest: DIGEST })
    expect(tagOrDigest(reference)).toBe(DIGEST)
  })

  it('means latest only when neither is given (R142)', () => {
    expect(tagOrDigest(parseReference('a'))).toBe('latest')
    expect(tagOrDigest(parseReference('a:1'))).toBe('1')
    expect(parseReference('a').tag).toBeUndefined()
    expect(parseReference(`a@${DIGEST}`).tag).toBeUndefined()
  })

  it('takes 255 characters of path without the host, and 128 of tag (R143)', () => {
    const path = `${'a'.repeat(127)}/${'b'.repeat(127)}`
    expect(parseReference(`a-long-host.example.org:5000/${path}`).repository).toBe(path)
    expect(() => parseReference(`example.org/${path}c`)).toThrow('longer than 255 characters')
    expect(parseReference(`a:${'t'.repeat(128)}`).tag).toHaveLength(128)
    expect(() => parseReference(`a:${'t'.repeat(129)}`)).toThrow('is not a tag')
  })

  it('refuses a bare image ID, which is no name (R144)', () => {
    expect(() => parseReference(HEX)).toThrow('64 hex digits are an image ID, not a name')
    expect(() => parseReference(`docker://${HEX}`)).toThrow('image ID')
    expect(parseReference(`${HEX}:1`).repository).toBe(`library/${HEX}`)
    expect(parseReference(HEX.slice(1)).repository).toBe(`library/${HEX.slice(1)}`)
    expect(parseReference(`me/${HEX}`).repository).toBe(`me/${HEX}`)
  })

  it.each([
    ['127.0.0.1:5000/a', '127.0.0.1:5000'],
    ['[::1]:5000/a', '[::1]:5000'],
    ['[2001:db8::1]/a', '[2001:db8::1]'],
    ['my-host.example.org:65535/a', 'my-host.example.org:65535'],
    ['xn--bcher-kva.example/a', 'xn--bcher-kva.example'],
  ])('takes the host of %s (R145)', (text, registry) => {
    expect(parseReference(text).registry).toBe(registry)
  })

  it.each([
    'my_host.org/a',
    '-a.org/a',
    'a-.org/a',
    'a..org/a',
    '.org/a',
    '[::1%eth0]/a',
    '[::1/a',
    '::1/a',
    'host:/a',
    'host:x/a',
    'user@host.org/a',
    'host.org:1:2/a',
  ])('refuses the host of %s (R145)', text => {
    expect(() => parseReference(text)).toThrow(/is not a (reference|host name)/)
  })

  it.each(['host.org:0/a', 'host.org:65536/a', 'host.org:99999999999999999999/a'])(
    'refuses the port of %s (R145)',
    text => {
      expect(() => parseReference(text)).toThrow('is not between 1 and 65535')
    },
  )

  it('has the pattern of the specification, not that of stricter registries (R146)', () => {
    expect(isRepositoryName('a__b/c--d')).toBe(true)
    expect(isRepositoryName('a___b')).toBe(false)
    expect(isRepositoryName('a_-b')).toBe(false)
    expect(isTag('_1')).toBe(true)
    expect(isTag('a/b')).toBe(false)
  })

  it.each([
    ['Ubuntu', 'Did you mean ubuntu?'],
    ['docker.io/Ubuntu:22.04', 'Did you mean docker.io/ubuntu:22.04?'],
    ['Host.org/Team/App:V1', 'Did you mean Host.org/team/app:V1?'],
    ['App.org/App', 'Did you mean App.org/app?'],
    ['docker://Me.org/A', 'Did you mean docker://Me.org/a?'],
  ])('says of %s that a repository is lower-case, and how it would be (R147)', (text, hint) => {
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({
        message: `"${text}" is not a reference: repository name must be lowercase`,
        hint,
      }),
    )
  })

  it('asks for punycode where a host is not ASCII (R147)', () => {
    expect(() => parseReference('bücher.example/a')).toThrow(
      expect.objectContaining({ hint: 'Write an international host name in punycode (xn--…)' }),
    )
  })

  it('refuses a URL and says what to write (R147)', () => {
    expect(() => parseReference('https://host.org/a:1')).toThrow(
      expect.objectContaining({ hint: 'Write it without the scheme: host.org/a:1' }),
    )
  })

  it('takes docker:// (R147)', () => {
    expect(formatReference(parseReference('docker://ubuntu'))).toBe('docker.io/library/ubuntu')
  })

  it('refuses text that is too long before it looks at it, in a short message (R147)', () => {
    const text = 'a'.repeat(5000)
    expect(() => parseReference(text)).toThrow('longer than 4096 characters')
    expect(() => parseReference(text)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{0,300}$/) }),
    )
  })

  it('shows no control characters in its messages (R231)', () => {
    expect(() => parseReference('a\x1b[2J')).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^[\x20-\x7e]*$/) }),
    )
  })
})

describe('the names of a reference', () => {
  it.each([
    ['ubuntu', 'docker.io/library/ubuntu', 'ubuntu'],
    ['library/a', 'docker.io/library/a', 'a'],
    ['me/a', 'docker.io/me/a', 'me/a'],
    ['library/a/b', 'docker.io/library/a/b', 'library/a/b'],
    ['localhost:5000/library/a', 'localhost:5000/library/a', 'localhost:5000/library/a'],
  ])('of %s are %s and %s', (text, full, familiar) => {
    const reference = parseReference(text)
    expect(repositoryOf(reference)).toBe(full)
    expect(familiarName(reference)).toBe(familiar)
  })
})
