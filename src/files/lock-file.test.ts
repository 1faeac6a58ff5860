import { mkdtemp, readdir, readFile, readlink, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from './lock-file.js'

let folder: string
let path: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'regctl-lock-'))
  path = join(folder, 'lock')
})
afterEach(async () => {
  await rm(folder, { recursive: true })
})

describe('withLock', () => {
  it('runs one piece of work at a time and leaves no file', async () => {
    let inside = 0
    let most = 0
    const work = async () => {
      most = Math.max(most, ++inside)
      await new Promise(resolve => setImmediate(resolve))
      inside--
    }
    await Promise.all(Array.from({ length: 8 }, () => withLock(path, work)))
    expect(most).toBe(1)
    expect(await readdir(folder)).toEqual([])
  })

  it('says who holds the lock and what to do when it lasts too long', async () => {
    await writeFile(path, JSON.stringify({ token: 'other', pid: 7, host: 'elsewhere' }))
    await expect(withLock(path, async () => {}, 5)).rejects.toMatchObject({
      message: `another process (7 on elsewhere) keeps ${path} locked`,
      hint: `If no such process is at work, remove ${path}`,
    })
    expect(JSON.parse(await readFile(path, 'utf8')).token).toBe('other')
  })

  it('takes over from an earlier process that had the same pid, by one of many at once', async () => {
    await writeFile(path, JSON.stringify({ token: 'earlier', pid: process.pid, host: hostname() }))
    const results = await Promise.all([1, 2, 3].map(number => withLock(path, async () => number)))
    expect(results).toEqual([1, 2, 3])
    expect(await readdir(folder)).toEqual([])
  })

  it('says who holds it as soon as it exists', async () => {
    const holder = await withLock(path, () => readlink(path))
    expect(JSON.parse(holder)).toMatchObject({ pid: process.pid, host: hostname() })
  })

  it('takes over from a process that was killed while it took over from a killed one', async () => {
    const dead = { token: 'dead', pid: 2 ** 22 + 1, host: hostname() }
    await symlink(JSON.stringify(dead), path)
    await symlink(JSON.stringify({ ...dead, token: 'remover' }), `${path}.dead`)
    await symlink('{}', `${path}.7-0123456789ab`)
    expect(await withLock(path, async () => 'done')).toBe('done')
    expect(await readdir(folder)).toEqual([])
  })

  it('takes over from a container that has been gone for long', async () => {
    await writeFile(path, JSON.stringify({ token: 'gone', pid: 7, host: 'a-container' }))
    const longAgo = new Date(Date.now() - 10 * 60_000)
    await utimes(path, longAgo, longAgo)
    expect(await withLock(path, async () => 'done', 5)).toBe('done')
  })

  it('takes over a lock that was never written to the end', async () => {
    await writeFile(path, '')
    const longAgo = new Date(Date.now() - 60_000)
    await utimes(path, longAgo, longAgo)
    expect(await withLock(path, async () => 'done')).toBe('done')
  })

  it('gives the lock back when the work fails', async () => {
    await expect(withLock(path, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(await withLock(path, async () => 'done')).toBe('done')
  })
})
