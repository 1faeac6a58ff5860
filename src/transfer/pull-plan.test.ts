import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type TemporaryFolder, temporaryFolder } from '../../test/support/temporary-folder.js'
import { formatReference } from '../content/reference.js'
import { planPull } from './pull-plan.js'

const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`
let folder: TemporaryFolder

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(async () => {
  await folder[Symbol.asyncDispose]()
})

describe('planPull', () => {
  it.each([
    ['app:1.0', undefined, 'app_1.0.tar', 'docker-archive'],
    ['ubuntu', undefined, 'ubuntu_latest.tar', 'docker-archive'],
    ['localhost:5000/team/app:1.0', 'oci-archive', 'app_1.0.tar', 'oci-archive'],
    ['localhost:5000/team/app:1.0', 'oci', 'app_1.0', 'oci'],
    [`localhost:5000/app@${DIGEST}`, undefined, 'app_sha256-0123456789ab.tar', 'docker-archive'],
    [`localhost:5000/app:1@${DIGEST}`, 'dir', 'app_1', 'dir'],
  ] as const)('names a destination for %s in the format %s', async (name, format, place, found) => {
    const plan = await planPull([name], { format })
    expect(plan).toMatchObject({ place, format: found, destination: { kind: 'file', path: place } })
  })

  it('takes the last of several arguments for the destination, unless one is stated', async () => {
    const plan = await planPull(['a:1', 'localhost:5000/b:2', 'both.tar'], {})
    expect(plan.references.map(formatReference)).toEqual(['docker.io/library/a:1', 'localhost:5000/b:2'])
    expect(plan).toMatchObject({ place: 'both.tar', format: 'docker-archive' })
    const stated = await planPull(['a:1', 'localhost:5000/b:2'], { output: 'out/' })
    expect(stated).toMatchObject({ place: 'out/', format: 'oci' })
    expect(stated.references).toHaveLength(2)
    expect(await planPull(['a:1', '-'], {})).toMatchObject({ destination: { kind: 'stdio' } })
    expect(await planPull(['a:1', 'oci:layout:2'], {})).toMatchObject({ format: 'oci' })
  })

  it.each(['localhost:5000/b:2', 'b:2', 'docker://b', `b@${DIGEST}`, 'localhost:5000/b'])(
    'does not take %s for a file',
    async last => {
      await expect(planPull(['a:1', last], {})).rejects.toMatchObject({
        kind: 'usage',
        code: 'no-destination',
        message: `${last} is the destination here, but it looks like an image to pull`,
        hint: expect.stringContaining('`--output`'),
      })
    },
  )

  it.each(['./a.tar', '/a', '../a', 'oci:./a'])('does not take the path %s for an image', async path => {
    await expect(planPull([path, 'a.tar'], {})).rejects.toMatchObject({
      kind: 'usage',
      code: 'not-an-image',
      message: `${path} is a path, where an image in a registry is wanted`,
    })
  })

  it('takes a path and what is there for a file, whatever it looks like', async () => {
    await mkdir(join(folder.path, 'b:2'))
    await writeFile(join(folder.path, 'c:3'), '')
    for (const [name, format] of [
      ['b:2', 'oci'],
      ['c:3', 'docker-archive'],
    ] as const) {
      const path = join(folder.path, name)
      expect(await planPull(['a:1', path], {})).toMatchObject({ place: path, format })
    }
    expect(await planPull(['a:1', './b:2.tar'], {})).toMatchObject({ place: './b:2.tar' })
  })

  it('names each image once, and each name for one image', async () => {
    const plan = await planPull(['a', 'docker.io/library/a:latest', `a@${DIGEST}`], { output: 'x.tar' })
    expect(plan.references).toHaveLength(2)
    await expect(planPull(['a:1', `a:1@${DIGEST}`], { output: 'x.tar' })).rejects.toMatchObject({
      code: 'same-name',
      message: `docker.io/library/a:1 and docker.io/library/a:1@${DIGEST} have the same name, which can be that of one image only`,
    })
  })

  it('refuses what can hold one image only, and formats that contradict each other', async () => {
    const several = ['a:1', 'b:1']
    const refused = async (output: string, code: string, format?: 'dir' | 'oci') =>
      await expect(planPull(several, { output, format })).rejects.toMatchObject({ kind: 'usage', code })
    await refused('out', 'several-images', 'dir')
    await refused('dir:out', 'several-images')
    await refused('docker-archive:x.tar:c:1', 'named-twice')
    await refused('oci:out', 'format-conflict', 'dir')
    await expect(planPull([], {})).rejects.toMatchObject({ code: 'no-reference' })
  })
})
