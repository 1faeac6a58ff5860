import { describe, expect, it } from 'vitest'
import { digestOf } from '../content/digest.js'
import { readImageConfig } from './inspect-config.js'

const read = (document: unknown) => readImageConfig(Buffer.from(JSON.stringify(document)), 'config of a test')
const diffID = digestOf(Buffer.from('layer'))

describe('the config of an image', () => {
  it('is read into names of our own', () => {
    const found = read({
      os: 'linux',
      architecture: 'arm',
      variant: 'v7',
      created: '2024-05-01T12:00:00Z',
      author: 'Ann',
      config: {
        User: 'app',
        Env: ['A=1', 'B=2'],
        Entrypoint: ['/run'],
        Cmd: ['--help'],
        WorkingDir: '/srv',
        Labels: { b: '2' },
        ExposedPorts: { '80/tcp': {} },
        Volumes: { '/data': {} },
        StopSignal: 'SIGINT',
        Healthcheck: { Test: ['CMD', 'true'], Interval: 30_000_000_000, Retries: 3 },
      },
      rootfs: { type: 'layers', diff_ids: [diffID] },
      history: [{ created: '2024-05-01T12:00:00Z', created_by: 'ADD x', empty_layer: true, comment: 'c' }],
    })
    expect(found).toEqual({
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      created: '2024-05-01T12:00:00Z',
      author: 'Ann',
      config: {
        user: 'app',
        env: ['A=1', 'B=2'],
        entrypoint: ['/run'],
        cmd: ['--help'],
        workingDir: '/srv',
        labels: { b: '2' },
        exposedPorts: ['80/tcp'],
        volumes: ['/data'],
        stopSignal: 'SIGINT',
        healthcheck: { test: ['CMD', 'true'], intervalMs: 30_000, retries: 3 },
      },
      diffIDs: [diffID],
      history: [{ created: '2024-05-01T12:00:00Z', createdBy: 'ADD x', emptyLayer: true, comment: 'c' }],
    })
  })

  it('leaves out what is empty', () => {
    const config = { User: '', Env: [], Entrypoint: null, Cmd: [], WorkingDir: '', Labels: {}, Volumes: null }
    expect(read({ os: '', architecture: '', config })).toEqual({ config: {}, diffIDs: [], history: [] })
  })

  it.each([1, true, null, 'text', [], [[]], {}, { a: { b: 1 } }, [1, null, {}]])(
    'is not put off by fields that are %j',
    value => {
      const names = ['User', 'Env', 'Cmd', 'Labels', 'ExposedPorts', 'Volumes', 'StopSignal', 'Healthcheck']
      const config = Object.fromEntries(names.map(name => [name, value]))
      const whole = { os: value, architecture: value, created: value, rootfs: value, history: value }
      const found = read({ ...whole, config, author: value })
      expect(found.history.every(step => typeof step === 'object')).toBe(true)
      expect(read({ ...whole, config: value })).toHaveProperty('config')
      expect(read({ rootfs: { diff_ids: value } }).diffIDs.every(id => id === undefined)).toBe(true)
    },
  )

  it('takes a single text for a list, and keeps what is text in a list', () => {
    expect(read({ config: { Cmd: 'run', Env: ['A=1', 2, null] } }).config).toEqual({
      cmd: ['run'],
      env: ['A=1'],
    })
  })

  it('has no label called like a method that is not its own', () => {
    const { config } = readImageConfig(Buffer.from('{"config":{"Labels":{"__proto__":"x"}}}'), 'config')
    expect(JSON.stringify(config.labels)).toBe('{"__proto__":"x"}')
  })

  it('must be a JSON object', () => {
    expect(() => read([])).toThrow('config of a test is not an object')
    expect(() => readImageConfig(Buffer.from('{'), 'config of a test')).toThrow(
      'config of a test is not JSON',
    )
  })
})
