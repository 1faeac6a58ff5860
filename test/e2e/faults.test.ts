import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { MemoryCollection } from '../../src/content/memory-collection.js'
import { ROUTES } from '../faults/matrix.js'
import { collectionOf, IMAGE } from '../faults/transfer.js'
import { RAW_SERVERS, startRawServer } from '../support/faults/connection.js'
import { CONTENT_FAULTS } from '../support/faults/content.js'
import { DOWNLOAD_FAULTS } from '../support/faults/download.js'
import { STATUS_FAULTS } from '../support/faults/status.js'
import { UPLOAD_FAULTS } from '../support/faults/upload.js'
import { type FaultRule, startFaultyRegistry } from '../support/faulty-registry.js'
import { writeLayout } from '../support/image-builder.js'
import { regctl } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'

describe('a registry that fails', () => {
  let folder: TemporaryFolder
  let layout: string

  beforeAll(async () => {
    folder = await temporaryFolder()
    layout = join(folder.path, 'layout')
    await writeLayout(layout, [{ manifest: IMAGE.manifest, tag: '1' }], IMAGE.blobs)
  })

  afterAll(() => folder[Symbol.asyncDispose]())

  const pulls: [string, FaultRule, number, RegExp][] = [
    [
      'status/503',
      { route: ROUTES.getBlob, fault: STATUS_FAULTS['503'] },
      5,
      /^error: pull of blob sha256:\w+ from \S+ failed: GET \S+ answered 503 after 5 attempts$/m,
    ],
    [
      'download/bit-flipped',
      { route: ROUTES.getLayer, fault: DOWNLOAD_FAULTS['bit-flipped'] },
      6,
      /^error: blob sha256:\w+ .*digest/m,
    ],
    [
      'content/manifest-of-5-mib',
      { route: ROUTES.getManifest, fault: CONTENT_FAULTS['manifest-of-5-mib'] },
      6,
      /^error: .* at most 4194304 are read/m,
    ],
  ]
  it.each(pulls)('leaves no file of a pull after %s', async (_fault, rule, exitCode, says) => {
    await using registry = await startFaultyRegistry([rule], { repositories: await collectionOf(IMAGE) })
    await using target = await temporaryFolder()
    const { code, stderr } = await regctl('pull', `${registry.host}/app:1`, join(target.path, 'image.tar'))
    expect(stderr).toMatch(says)
    expect(code).toBe(exitCode)
    expect(stderr).not.toContain('\n    at ')
    expect(await readdir(target.path)).toEqual([])
  })

  it('is told with a way to log in after status/403', async () => {
    const repositories = new MemoryCollection()
    const rule = { route: ROUTES.putManifest, fault: STATUS_FAULTS['403'] }
    await using registry = await startFaultyRegistry([rule], { repositories })
    const { code, stderr } = await regctl('push', layout, `${registry.host}/app:1`)
    expect(stderr).toMatch(/^error: push of manifest .* answered 403 \(DENIED: refused\)$/m)
    expect(stderr).toContain(`hint: Log in with \`regctl login ${registry.host}\``)
    expect(code).toBe(4)
    const store = await repositories.find('app')
    expect(await store?.hasManifest(IMAGE.manifest.descriptor.digest)).toBe(false)
  })

  it('gets the rest of a layer after upload/body-cut', async () => {
    const repositories = new MemoryCollection()
    const rule = { route: ROUTES.putLayer, call: 1, fault: UPLOAD_FAULTS['body-cut'] }
    await using registry = await startFaultyRegistry([rule], { repositories })
    const { code, stdout } = await regctl('push', layout, `${registry.host}/app:1`)
    expect(code).toBe(0)
    expect(stdout).toContain(IMAGE.manifest.descriptor.digest)
    const store = await repositories.find('app')
    expect(await store?.hasManifest(IMAGE.manifest.descriptor.digest)).toBe(true)
  })

  it('is given up by --stall-timeout after connection/accept-and-stay-silent', async () => {
    await using server = await startRawServer(RAW_SERVERS['accept-and-stay-silent'])
    const { code, stderr } = await regctl('push', layout, `${server.host}/app:1`, '--stall-timeout', '0.2s')
    expect(stderr).toMatch(/^error: .* after \d attempts$/m)
    expect(stderr).toMatch(/^hint: .*`--stall-timeout`/m)
    expect(code).toBe(5)
  })
})
