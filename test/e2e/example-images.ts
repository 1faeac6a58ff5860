import { cp, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { hash } from 'bcryptjs'
import { createContext } from '../../src/content/context.js'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { copy } from '../../src/copy/copy.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { buildImage, buildIndex, writeLayout } from '../support/image-builder.js'

/** The files that the examples of the README and of the help read, in a folder. */
export class ExampleImages {
  readonly #folder: string

  private constructor(folder: string) {
    this.#folder = folder
  }

  /** @param folder an empty one, which the caller removes */
  static async write(folder: string): Promise<ExampleImages> {
    const first = { layers: [{ a: 'a\n' }], repoTags: ['acme/first:v1'] }
    const second = { layers: [{ b: 'b\n' }], repoTags: ['acme/second:v2'] }
    await writeDockerArchive(join(folder, 'image.tar'), [first])
    for (const name of ['two-images.tar', 'images.tar'])
      await writeDockerArchive(join(folder, name), [first, second])
    await writeAppLayout(join(folder, 'layout'))
    await writeUbuntuLayout(join(folder, 'ubuntu'))
    return new ExampleImages(folder)
  }

  /**
   * A folder in which an example can run.
   *
   * @param withLayout whether the layout is there: an example that writes one wants none
   */
  async prepare(folder: string, withLayout: boolean): Promise<void> {
    await mkdir(folder)
    for (const name of ['image.tar', 'two-images.tar', 'images.tar'])
      await cp(join(this.#folder, name), join(folder, name))
    await writeFile(join(folder, 'users'), `ada:${await hash('secret', 4)}\n`)
    if (withLayout) await cp(join(this.#folder, 'layout'), join(folder, 'layout'), { recursive: true })
  }

  /** What the examples find in their registry: `app:1.0`, an index with an SBOM, and `ubuntu:latest`, an image. */
  async fill(): Promise<MemoryCollection> {
    const repositories = new MemoryCollection()
    for (const [repository, layout, tags] of [
      ['app', 'layout', ['1.0']],
      ['app', 'layout', ['sbom']],
      ['ubuntu', 'ubuntu', ['latest']],
    ] as const) {
      await using source = await LayoutStore.open(join(this.#folder, layout))
      const sink = await repositories.create(repository)
      const ended = await copy(
        source,
        tags[0],
        [{ sink, tags: tags[0] === 'sbom' ? [] : tags }],
        createContext(),
      )
      const [target] = ended.targets
      if (target?.error !== undefined) throw target.error
    }
    return repositories
  }
}

/** An index of two platforms, and an SBOM that refers to it. */
async function writeAppLayout(folder: string): Promise<void> {
  const platforms = ['amd64', 'arm64'].map(architecture => ({ os: 'linux', architecture }))
  const images = await Promise.all(
    platforms.map(platform =>
      buildImage({ platform, layers: [{ 'etc/motd': 'welcome\n' }, { 'srv/app': platform.architecture }] }),
    ),
  )
  const index = buildIndex(
    images.map(({ manifest }, position) => ({
      manifest,
      platform: platforms[position] ?? { os: '', architecture: '' },
    })),
  )
  const sbom = await buildImage({
    layers: [{ 'sbom.json': '{}' }],
    subject: index.descriptor,
    artifactType: 'application/spdx+json',
  })
  await writeLayout(
    folder,
    [
      { manifest: index, tag: '1.0' },
      { manifest: sbom.manifest, tag: 'sbom' },
    ],
    new Map([...images, sbom].flatMap(image => [...image.blobs])),
    images.map(({ manifest }) => manifest),
  )
}

async function writeUbuntuLayout(folder: string): Promise<void> {
  const image = await buildImage({ layers: [{ 'etc/os-release': 'ID=example\n' }], docker: true })
  await writeLayout(folder, [{ manifest: image.manifest, tag: 'latest' }], image.blobs)
}
