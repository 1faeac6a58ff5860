import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { EarlySync } from './early-sync.js'

const MB = 1024 * 1024

it('sets the disk to work after every 64 MiB, once at a time, and tells at the end what went wrong on the way', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'regctl-early-sync-'))
  const file = await open(join(folder, 'file'), 'w')
  const calls: string[] = []
  const failing = Object.assign(Object.create(file), {
    datasync: async () => {
      calls.push('datasync')
      if (calls.length === 2) throw new Error('EIO: i/o error, fdatasync')
    },
    sync: async () => {
      calls.push('sync')
    },
  })
  try {
    const good = new EarlySync(failing)
    good.wrote(63 * MB)
    expect(calls).toEqual([])
    good.wrote(MB)
    good.wrote(200 * MB)
    await good.end()
    expect(calls).toEqual(['datasync', 'sync'])

    calls.length = 1
    const bad = new EarlySync(failing)
    bad.wrote(64 * MB)
    await bad.settle()
    bad.wrote(64 * MB)
    await expect(bad.end()).rejects.toThrow('EIO')
    expect(calls).toEqual(['datasync', 'datasync', 'datasync'])
  } finally {
    await file.close()
    await rm(folder, { recursive: true })
  }
})
