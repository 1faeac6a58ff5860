import { createReadStream } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { missingImages } from '../../test/support/images.js'
import { RegctlError } from '../errors.js'
import type { FileSet } from '../tar/file-set.js'
import { openArchive, openArchiveStream } from './open-archive.js'

const BROKEN = fileURLToPath(new URL('../../../shared/images/broken/', import.meta.url))
const { signal } = new AbortController()

/** Files that cannot be opened, with the code of the error and a part of its message. */
const UNOPENABLE: [string, string, RegExp][] = [
  ['empty-file.tar', 'not-an-image', /it is an empty file$/],
  ['only-zeros.tar', 'not-an-image', /it is an empty tar, or nothing but zeros$/],
  ['gzip-of-text.tar.gz', 'not-an-image', /it is gzip of a text, not a tar$/],
  ['image.zip', 'not-an-image', /it is a zip file$/],
  ['json-only.tar', 'not-an-image', /it is a JSON text, not a tar$/],
  ['random.bin', 'not-an-image', /it is no tar, nor anything else that is known$/],
  ['text.tar', 'not-an-image', /it is a text, not a tar$/],
  ['gzip-bad-crc.tar.gz', 'corrupt-compression', /its gzip data fails its own check$/],
  ['gzip-flipped.tar.gz', 'corrupt-compression', /its gzip data fails its own check$/],
  ['truncated-gzip-half.tar.gz', 'truncated', /its gzip data is not all there$/],
  ['truncated-gzip-trailer.tar.gz', 'truncated', /its gzip data is not all there$/],
  ['truncated-zstd.tar.zst', 'truncated', /its zstd data is not all there$/],
  ['header-bad-checksum.tar', 'bad-tar', /at offset 3584: the checksum of a header is wrong$/],
  ['size-huge-base256.tar', 'bad-tar', /a size is impossibly large$/],
  ['size-over-base256.tar', 'bad-tar', /a size is impossibly large$/],
  ['size-negative.tar', 'bad-tar', /a size is negative$/],
  ['size-minus-octal.tar', 'bad-tar', /a size is not an octal number$/],
  ['size-not-octal.tar', 'bad-tar', /a size is not an octal number$/],
  ['pax-length-lies.tar', 'bad-tar', /a PAX record has a wrong length$/],
  ['gnu-longname-huge.tar', 'truncated', /a header is not all there$/],
  ['pax-header-huge.tar', 'truncated', /a header is not all there$/],
  ['pax-size-huge.tar', 'truncated', /the member "[^"]+" is not all there$/],
  ['size-huge-octal.tar', 'truncated', /the member "[^"]+" is not all there$/],
  ['truncated-in-data.tar', 'truncated', /is not all there$/],
  ['truncated-in-header.tar', 'truncated', /a header is not all there$/],
  ['truncated-in-last-layer.tar', 'truncated', /the member "[^"]+" is not all there$/],
  ['truncated-oci-half.tar', 'truncated', /the member "[^"]+" is not all there$/],
]

/** Files that open, with the codes that looking up all their names gives. */
const WITH_BAD_MEMBERS: [string, string[]][] = [
  ['duplicate-dotslash.tar', ['ambiguous']],
  ['duplicate-index.tar', ['ambiguous']],
  ['duplicate-layer.tar', ['ambiguous']],
  ['duplicate-layer-last-right.tar', ['ambiguous']],
  ['duplicate-manifest.tar', ['ambiguous']],
  ['layer-hardlink-outside.tar', ['unsafe-link']],
  ['layer-symlink-absolute.tar', ['unsafe-link']],
  ['layer-symlink-outside.tar', ['unsafe-link']],
  ['oci-blob-symlink-outside.tar', ['unsafe-link']],
  ['layer-symlink-chain-300.tar', ['bad-link']],
  ['layer-symlink-loop.tar', ['bad-link']],
  ['layer-symlink-self.tar', ['bad-link']],
  ['layer-symlink-dangling.tar', ['missing-file']],
  ['layer-named-proto.tar', []],
  ['type-unknown.tar', []],
  ['truncated-before-manifest.tar', []],
  ['member-absolute.tar', []],
  ['member-dotdot.tar', []],
]

function fromFile(name: string): Promise<FileSet> {
  return openArchive(BROKEN + name, { signal })
}

function fromPipe(name: string): Promise<FileSet> {
  return openArchiveStream(createReadStream(BROKEN + name), 'standard input', { signal })
}

/** The codes of the errors that opening each name gives. */
async function codesOf(files: FileSet): Promise<Set<string>> {
  const codes = new Set<string>()
  for (const name of files.names()) {
    try {
      ;(await files.open(name)).destroy()
    } catch (error) {
      if (!(error instanceof RegctlError)) throw error
      codes.add(error.code)
    }
  }
  return codes
}

describe.skipIf(missingImages() !== undefined).each([
  ['from a file', fromFile],
  ['through a pipe', fromPipe],
])('a broken archive %s', (_how, openBroken) => {
  it.each(UNOPENABLE)('%s is refused as %s', async (name, code, message) => {
    await expect(openBroken(name)).rejects.toMatchObject({
      code,
      kind: 'corrupt',
      message: expect.stringMatching(message),
    })
  })

  it.each(WITH_BAD_MEMBERS)('%s opens, and its names give %j', async (name, codes) => {
    await using files = await openBroken(name)
    expect([...(await codesOf(files))]).toEqual(codes)
  })

  it.each(['layer-is-device.tar', 'layer-is-directory.tar', 'layer-is-fifo.tar'])(
    'refuses the layer of %s, which is no file',
    async name => {
      await using files = await openBroken(name)
      await expect(files.stat('0/layer.tar')).rejects.toMatchObject({
        code: 'bad-member-type',
        message: expect.stringMatching(
          /^"0\/layer.tar" in .* is (a directory|a device or a pipe), not a file$/,
        ),
      })
    },
  )

  it.each(['/etc/hostname', '../../../../etc/hostname', 'C:\\secret', 'a/../../b', 'a\\b', 'a\0b', ''])(
    'refuses to look for %j, in an archive that has such members too (R223)',
    async name => {
      await using files = await openBroken('member-absolute.tar')
      await expect(files.stat(name)).rejects.toMatchObject({ code: 'unsafe-path' })
    },
  )

  it('finds no file where only objects have properties', async () => {
    await using files = await openBroken('missing-layer-named-constructor.tar')
    expect(await files.stat('constructor')).toBeUndefined()
    expect(await files.stat('__proto__')).toBeUndefined()
    await expect(files.open('constructor')).rejects.toMatchObject({ code: 'missing-file' })
  })
})
