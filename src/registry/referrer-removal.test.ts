import { expect, test } from 'vitest'
import { buildImage } from '../../test/support/image-builder.js'
import { clientOf } from '../../test/support/registry-fixtures.js'
import { answer, refusal, type ScriptedServer, startScripted } from '../../test/support/scripted-server.js'
import { MediaType } from '../content/media-types.js'
import { referrersTag } from './referrers.js'

const subject = (await buildImage()).manifest
const artifact = (await buildImage({ layers: [{ sig: 's\n' }], subject: subject.descriptor })).manifest
const { digest } = artifact.descriptor
const TAG = referrersTag(subject.descriptor.digest)
const OTHER = { mediaType: MediaType.ociManifest, digest: `sha256:${'b'.repeat(64)}`, size: 7, note: 'kept' }
const json = (mediaType: string) => ({ 'content-type': mediaType })

/** A registry without the referrers API, whose list under the tag has these entries. */
function registryWith(manifests: readonly unknown[]): Promise<ScriptedServer> {
  const list = JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests })
  return startScripted([
    [new RegExp(`^GET .*/manifests/${digest}`), answer(200, json(MediaType.ociManifest), artifact.bytes)],
    [new RegExp(`^GET .*/manifests/${TAG}`), answer(200, json(MediaType.ociIndex), list)],
    [new RegExp(`^HEAD .*/manifests/${TAG}`), answer(200, { ...json(MediaType.ociIndex) })],
    [/^DELETE/, answer(202)],
    [/^PUT/, answer(201)],
    [/referrers/, refusal(404, 'NOT_FOUND')],
  ])
}

async function remove(server: ScriptedServer) {
  const { client, context, events } = clientOf()
  await using _ = client
  const wasThere = await client.repository(server.host, 'a').deleteManifest(digest, context)
  return { wasThere, events }
}

test('R84: takes a deleted manifest out of the list, and leaves the other entries as they are', async () => {
  await using server = await registryWith([artifact.descriptor, OTHER])
  expect(await remove(server)).toEqual({ wasThere: true, events: [] })
  const put = server.seen.find(({ method }) => method === 'PUT')
  expect(put?.path).toBe(`/v2/a/manifests/${TAG}`)
  expect(JSON.parse(`${put?.body}`)).toMatchObject({ manifests: [OTHER] })
})

test('R84: deletes a list that becomes empty, by its digest', async () => {
  await using server = await registryWith([artifact.descriptor])
  expect(await remove(server)).toEqual({ wasThere: true, events: [] })
  const deleted = server.seen.filter(({ method }) => method === 'DELETE').map(({ path }) => path)
  expect(deleted).toEqual([
    `/v2/a/manifests/${digest}`,
    expect.stringMatching(/^\/v2\/a\/manifests\/sha256:[0-9a-f]{64}$/),
  ])
  expect(server.lines().filter(line => line.startsWith('PUT'))).toEqual([])
})

test('R84: writes no list that does not have it', async () => {
  await using server = await registryWith([OTHER])
  expect(await remove(server)).toEqual({ wasThere: true, events: [] })
  expect(server.lines().filter(line => line.startsWith('PUT'))).toEqual([])
})

test('R84: leaves the lists of a registry that keeps them itself', async () => {
  const list = JSON.stringify({ schemaVersion: 2, mediaType: MediaType.ociIndex, manifests: [] })
  await using server = await startScripted([
    [/^GET .*manifests/, answer(200, json(MediaType.ociManifest), artifact.bytes)],
    [/^DELETE/, answer(202)],
    [/referrers/, answer(200, json(MediaType.ociIndex), list)],
  ])
  expect(await remove(server)).toEqual({ wasThere: true, events: [] })
  expect(server.lines().filter(line => line.includes(TAG))).toEqual([])
})

test('R84: a list that can not be changed is a warning: the manifest is gone', async () => {
  await using server = await startScripted([
    [new RegExp(`^GET .*/manifests/${digest}`), answer(200, json(MediaType.ociManifest), artifact.bytes)],
    [/^DELETE/, answer(202)],
    [/^GET .*manifests/, refusal(403, 'DENIED')],
    [/referrers/, refusal(404, 'NOT_FOUND')],
  ])
  const { wasThere, events } = await remove(server)
  expect(wasThere).toBe(true)
  expect(events).toMatchObject([
    {
      type: 'warning',
      message: expect.stringContaining(`/a:${TAG} still lists ${digest}: pull of manifest `),
    },
  ])
})

test('R86, R87: says what a registry does not delete', async () => {
  await using server = await startScripted([[/./, refusal(405, 'UNSUPPORTED')]])
  const { client, context } = clientOf()
  await using _ = client
  const repository = client.repository(server.host, 'a')
  await expect(repository.deleteTag('1', context)).rejects.toMatchObject({
    code: 'deletes-no-tags',
    message:
      `deletion of ${server.host}/a:1 failed: the registry deletes no tags: ` +
      `DELETE ${server.host}/v2/a/manifests/1 answered 405 (UNSUPPORTED: refused)`,
  })
  await expect(repository.deleteManifest(digest, context)).rejects.toMatchObject({
    kind: 'failed',
    code: 'deletes-nothing',
    hint: expect.stringContaining('Deleting may have to be enabled'),
  })
})
