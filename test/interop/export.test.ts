import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { extract } from 'tar-stream'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { digestOf } from '../../src/content/digest.js'
import { type DockerEngine, startDockerEngine } from '../support/docker-engine.js'
import { configBytes } from '../support/image-builder.js'
import { missingImages, validImages } from '../support/images.js'
import { folder as dir, hardLink, member, symlink, tarOf } from '../support/raw-layers.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'
import { missingDockerEngine } from '../support/tools.js'

/** What Docker makes for each container, and its folders. */
const MADE_BY_DOCKER =
  /^(?:\.dockerenv|dev\/(?:console|pts\/|shm\/)?|etc\/(?:hosts|hostname|resolv\.conf|mtab)?|proc\/|sys\/)$/

const missing = missingDockerEngine() ?? missingImages()
/** One of whose config was edited, which Docker does not notice. */
const EDITED = 'third-party/bazel-empty-history.tar'
/** Of the many ways to pack one and the same image, those that concern its layers. */
const VARIANTS = ['variants/da-gzip-layers.tar', 'variants/da-hardlinks.tar', 'variants/da-symlinks.tar']
const images = validImages().filter(
  ({ name, expected }) =>
    expected.docker?.length === 1 &&
    name !== EDITED &&
    (!name.startsWith('variants/') || VARIANTS.includes(name)),
)

describe.skipIf(missing !== undefined)('beside docker export', () => {
  let engine: DockerEngine
  let folder: TemporaryFolder
  let startSeconds: number

  beforeAll(async () => {
    startSeconds = Math.floor(Date.now() / 1000)
    engine = await startDockerEngine()
    folder = await temporaryFolder()
  })
  afterAll(async () => {
    await engine[Symbol.asyncDispose]()
    await folder[Symbol.asyncDispose]()
  })

  async function docker(...parameters: string[]): Promise<string> {
    const { code, stdout, stderr } = await engine.docker(...parameters)
    if (code !== 0) throw new Error(`docker ${parameters.join(' ')} failed: ${stderr}`)
    return stdout.trim()
  }

  async function exportWithDocker(path: string): Promise<Map<string, Entry>> {
    const loaded = await docker('load', '-q', '-i', path)
    const image = /^Loaded image(?: ID)?: (.*)$/m.exec(loaded)?.[1] ?? ''
    const container = await docker('create', image, 'command')
    const out = join(folder.path, 'docker.tar')
    await docker('export', '-o', out, container)
    await docker('rm', container)
    return await listTar(await readFile(out))
  }

  async function exportWithRegctl(path: string): Promise<Map<string, Entry>> {
    const { code, stderr, stdoutBytes } = await regctl('export', path)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    return await listTar(stdoutBytes)
  }

  async function expectSame(path: string): Promise<void> {
    const theirs = await exportWithDocker(path)
    const ours = await exportWithRegctl(path)
    for (const [name, entry] of theirs) {
      const own = ours.get(name)
      // Docker has no mode for such a folder or file from the image, or it has changed it since.
      if (MADE_BY_DOCKER.test(name) && (own === undefined || entry.seconds >= startSeconds)) {
        theirs.delete(name)
        ours.delete(name)
      } else if (own !== undefined && entry.type === 'directory' && entry.seconds >= startSeconds) {
        // A folder that changed while Docker unpacked a layer, which does not say when it was changed.
        entry.seconds = own.seconds
      }
    }
    expect([...ours]).toEqual([...theirs])
  }

  it.each(images.map(({ name, path }) => [name, path]))(
    'exports %s with the same entries',
    async (_, path) => {
      await expectSame(path)
    },
  )

  it.each(Object.entries(CASES))('exports an image with %s as Docker does', async (name, layers) => {
    const path = join(folder.path, `${name.replaceAll(/\W/g, '-')}.tar`)
    await writeFile(path, dockerArchive(layers))
    await expectSame(path)
  })
})

/** Layers that are easily put together in another way. */
const CASES: Record<string, Buffer[]> = {
  'an opaque folder that comes after what is in it': [
    tarOf(dir('d/'), member('d/old', { body: 'old' }), dir('d/sub/'), member('d/sub/old')),
    tarOf(dir('d/'), member('d/new', { body: 'new' }), member('d/.wh..wh..opq')),
  ],
  'whiteouts of files and folders': [
    tarOf(dir('d/'), member('d/a'), dir('d/b/'), member('d/b/c'), member('e')),
    tarOf(dir('d/'), member('d/.wh.a'), member('d/.wh.b'), member('.wh.e')),
  ],
  'a whiteout of what the same layer puts there': [
    tarOf(dir('d/'), member('d/a', { body: 'old' })),
    tarOf(member('.wh.d'), dir('d/'), member('d/b', { body: 'new' })),
  ],
  'a file in place of a folder, and a folder in place of a file': [
    tarOf(dir('a/'), member('a/x'), member('b', { body: 'file' })),
    tarOf(member('a', { body: 'file' }), dir('b/'), member('b/y')),
  ],
  'a folder over a folder': [
    tarOf(dir('a/', { mode: 0o700, uid: 1, mtime: '1000' }), member('a/x')),
    tarOf(dir('a/', { mode: 0o1777, gid: 2, mtime: '2000' })),
  ],
  'files below a symlink to a folder': [
    tarOf(
      dir('usr/'),
      dir('usr/lib/'),
      symlink('lib', 'usr/lib'),
      symlink('abs', '/usr'),
      symlink('up', '../../usr'),
    ),
    tarOf(member('lib/a', { body: 'a' }), member('abs/b', { body: 'b' }), member('up/c', { body: 'c' })),
  ],
  'a folder in place of a symlink': [
    tarOf(dir('real/'), member('real/kept'), symlink('d', 'real')),
    tarOf(dir('d/'), member('d/.wh..wh..opq'), member('d/new')),
  ],
  'a file in place of a symlink': [
    tarOf(member('target', { body: 'kept' }), symlink('a', 'target')),
    tarOf(member('a', { body: 'own' })),
  ],
  'hard links, one of which is replaced later': [
    tarOf(
      member('a', { body: 'shared', mode: 0o755 }),
      hardLink('b', 'a', 0o755),
      hardLink('c', '/a', 0o755),
    ),
    tarOf(member('a', { body: 'other' }), hardLink('d', 'c', 0o755)),
  ],
  'a hard link to a symlink, and one through a symlink': [
    tarOf(dir('d/'), member('d/f', { body: 'x' }), symlink('s', 'd/f'), symlink('e', 'd')),
    tarOf(hardLink('s2', 's'), hardLink('g', 'e/f')),
  ],
  'names that are not clean': [
    tarOf(dir('./'), dir('./d/'), member('/d//a'), member('d/../b'), member('./d/./c')),
  ],
  'devices, fifos and owners': [
    tarOf(
      member('null', { type: '3', devMajor: 1, devMinor: 3, mode: 0o666 }),
      member('disk', { type: '4', devMajor: 8, devMinor: 1 }),
      member('fifo', { type: '6' }),
      member('su', { mode: 0o6755, uid: 12345, gid: 3_000_000_000, mtime: '1234567890.987654321' }),
      dir('sticky/', { mode: 0o1777 }),
    ),
  ],
  'long names': [
    tarOf(
      dir('d'.repeat(120)),
      dir('日本'),
      member(`${'d'.repeat(120)}/${'f'.repeat(150)}`, { body: 'x' }),
      symlink('link', `${'t'.repeat(150)}/ü`),
      member('日本/ü'),
    ),
  ],
}

/** A docker-archive of these layers. */
function dockerArchive(layers: readonly Buffer[]): Buffer {
  const config = configBytes(layers.map(layer => digestOf(layer)))
  const manifest = [
    {
      Config: 'config.json',
      RepoTags: ['acme/case:1'],
      Layers: layers.map((_, position) => `${position}.tar`),
    },
  ]
  return tarOf(
    member('manifest.json', { body: JSON.stringify(manifest) }),
    member('config.json', { body: config }),
    ...layers.map((layer, position) => member(`${position}.tar`, { body: layer })),
  )
}

/** What is compared of an entry. */
interface Entry {
  type: string
  mode: number
  uid: number
  gid: number
  link: string | null
  device: string
  capability: string | undefined
  seconds: number
  content: string
}

/** The entries of a tar, as another reader than ours sees them. */
async function listTar(bytes: Buffer): Promise<Map<string, Entry>> {
  const entries: [string, Entry][] = []
  const reader = extract()
  const done = (async () => {
    for await (const entry of reader) {
      const { name, type, mode, uid, gid, linkname, devmajor, devminor, mtime } = entry.header
      const pax = entry.header.pax as Record<string, string> | undefined
      const hash = createHash('sha256')
      for await (const chunk of entry) hash.update(chunk as Buffer)
      const time = Number(pax?.mtime ?? Math.floor((mtime?.getTime() ?? 0) / 1000))
      const capability = pax?.['SCHILY.xattr.security.capability']
      entries.push([
        name,
        {
          type: `${type}`,
          // Docker gives the type of the file in the mode too.
          mode: (mode ?? 0) & 0o7777,
          uid: uid ?? 0,
          gid: gid ?? 0,
          link: linkname ?? null,
          device: type?.endsWith('device') ? `${devmajor}:${devminor}` : '',
          capability: capability && Buffer.from(capability).toString('hex'),
          // Docker has whole seconds, and none before 1970.
          seconds: Math.max(0, Math.floor(time)),
          content: hash.digest('hex'),
        },
      ])
    }
  })()
  Readable.from([bytes]).pipe(reader)
  await done
  return new Map(entries)
}
