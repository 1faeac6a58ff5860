import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { temporaryFolder } from '../../test/support/temporary-folder.js'
import { digestOf } from '../content/digest.js'
import { OpenUploads } from './open-uploads.js'

const MIB = 1024 * 1024
const LOCATION = new URL('http://127.0.0.1:5000/v2/app/blobs/uploads/1?_state=secret')
const PLACE = {
  origin: 'http://127.0.0.1:5000',
  repository: 'app',
  digest: digestOf(Buffer.from('x')),
  size: 2 * MIB,
}

async function stateFolder() {
  const folder = await temporaryFolder()
  onTestFinished(() => folder[Symbol.asyncDispose]())
  return join(folder.path, 'cache', 'uploads')
}

test('R200: gives what one run left to one later run, and to nobody while it works with it', async () => {
  const folder = await stateFolder()
  const [first, second] = [new OpenUploads(folder), new OpenUploads(folder)]
  const started = await first.claim(PLACE)
  expect(started?.left).toBeUndefined()
  await started?.save(LOCATION, 0)
  expect((await second.claim(PLACE))?.left).toBeUndefined()
  started?.release()
  const claims = await Promise.all([second.claim(PLACE), first.claim(PLACE)])
  expect(claims.map(claim => claim?.left?.location).sort()).toEqual([LOCATION.href, undefined])
})

test.each([
  ['of another registry', { origin: 'http://127.0.0.1:5001' }],
  ['of another repository', { repository: 'other' }],
  ['of another blob', { digest: digestOf(Buffer.from('y')) }],
  ['of another size', { size: 3 * MIB }],
])('R200: does not give an upload %s', async (_what, other) => {
  const uploads = new OpenUploads(await stateFolder())
  const started = await uploads.claim(PLACE)
  await started?.save(LOCATION, 0)
  started?.release()
  expect((await uploads.claim({ ...PLACE, ...other }))?.left).toBeUndefined()
})

test('R200, R219: only the user can read it, its name tells nothing, and it goes when the upload is over', async () => {
  const folder = await stateFolder()
  const started = await new OpenUploads(folder).claim(PLACE)
  await started?.save(LOCATION, 5)
  const [name = ''] = await readdir(folder)
  expect(name).not.toContain('app')
  expect((await stat(join(folder, name))).mode & 0o777).toBe(0o600)
  expect((await stat(folder)).mode & 0o777).toBe(0o700)
  expect(JSON.parse(await readFile(join(folder, name), 'utf8'))).toMatchObject({
    offset: 5,
    size: PLACE.size,
  })
  await started?.forget()
  expect(await readdir(folder)).toEqual([])
})

test('remembers nothing of small blobs, and goes without where it can not write', async () => {
  const folder = await stateFolder()
  expect(await new OpenUploads(folder).claim({ ...PLACE, size: MIB - 1 })).toBeUndefined()
  await mkdir(join(folder, '..'), { recursive: true })
  await writeFile(folder, 'a file where the folder should be')
  expect(await new OpenUploads(folder).claim(PLACE)).toBeUndefined()
})

/** The name of a file that a process left which is gone. */
function abandonedName(): string {
  const key = createHash('sha256').update(`${PLACE.origin} ${PLACE.repository} ${PLACE.digest}`).digest('hex')
  const host = createHash('sha256').update(hostname()).digest('hex')
  const { pid } = spawnSync(process.execPath, ['--version'])
  return `${key.slice(0, 32)}-${host.slice(0, 8)}-${pid}-0123456789ab`
}

const SOUND = {
  version: 1,
  location: LOCATION.href,
  digest: PLACE.digest,
  size: PLACE.size,
  timeMs: Date.now(),
}

test.each([
  ['as it was written', JSON.stringify(SOUND), LOCATION.href],
  ['that is cut off', JSON.stringify(SOUND).slice(0, -9), undefined],
  ['that is empty', '', undefined],
  ['that is no object', '[]', undefined],
  ['of a later version', JSON.stringify({ ...SOUND, version: 2 }), undefined],
  ['without a Location', JSON.stringify({ ...SOUND, location: 7 }), undefined],
  ['of another blob', JSON.stringify({ ...SOUND, digest: digestOf(Buffer.from('y')) }), undefined],
  ['from the future', JSON.stringify({ ...SOUND, timeMs: Date.now() + 1e9 }), undefined],
  ['from eight days ago', JSON.stringify({ ...SOUND, timeMs: Date.now() - 8 * 86_400_000 }), undefined],
  ['that is huge', JSON.stringify({ ...SOUND, more: 'x'.repeat(70_000) }), undefined],
  ['that is deeply nested', '['.repeat(40_000), undefined],
])('R200: takes from a file %s no more than can be believed', async (_what, text, location) => {
  const folder = await stateFolder()
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, abandonedName()), text)
  const claimed = await new OpenUploads(folder).claim(PLACE)
  expect(claimed?.left?.location).toBe(location)
})

test('R224: follows no link where a file should be', async () => {
  const folder = await stateFolder()
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'elsewhere'), JSON.stringify(SOUND))
  await symlink(join(folder, 'elsewhere'), join(folder, abandonedName()))
  expect((await new OpenUploads(folder).claim(PLACE))?.left).toBeUndefined()
})

test('removes what is older than a week', async () => {
  const folder = await stateFolder()
  await mkdir(folder, { recursive: true })
  const paths = ['old', 'new'].map(name => join(folder, name))
  for (const path of paths) await writeFile(path, '')
  const then = Date.now() / 1000 - 8 * 86_400
  await utimes(join(folder, 'old'), then, then)
  const claimed = await new OpenUploads(folder).claim(PLACE)
  claimed?.release()
  expect(await readdir(folder)).toEqual(['new'])
})
