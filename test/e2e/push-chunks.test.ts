import { join } from 'node:path'
import { expect, it } from 'vitest'
import { buildImage, writeLayout } from '../support/image-builder.js'
import { regctl } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { startRegistry } from './test-registry.js'

it.each(['push', 'copy'])('%s sends chunks of the size that is asked for', async verb => {
  await using folder = await temporaryFolder()
  await using registry = await startRegistry()
  const image = await buildImage({ layers: [{ seed: 1, size: 300_000 }] })
  const layout = join(folder.path, 'layout')
  await writeLayout(layout, [{ manifest: image.manifest, tag: '1' }], image.blobs)
  const command = [verb, `oci:${layout}:1`, `${registry.host}/app:1`]
  expect(await regctl(...command, '--chunk-size', '64KiB')).toMatchObject({ code: 0 })
  const chunks = [image.config, ...image.layers].map(({ size }) => Math.ceil(size / 65_536))
  const patches = registry.writes().filter(line => line.startsWith('PATCH'))
  expect(patches).toHaveLength(chunks.reduce((sum, count) => sum + count, 0))
})

it('refuses a size that makes no sense', async () => {
  const { code, stderr } = await regctl('push', 'image.tar', 'localhost/app', '--chunk-size', '10')
  expect(code).toBe(2)
  expect(stderr).toContain('10 is too small')
})
