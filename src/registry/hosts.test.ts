import { describe, expect, test } from 'vitest'
import { systemError } from '../../test/support/fake-sender.js'
import { InsecureRegistries } from '../config/insecure-registries.js'
import { createContext } from '../content/context.js'
import { guardLookup } from './addresses.js'
import { Hosts } from './hosts.js'
import { explainNetworkError } from './network-error.js'
import { defaultRetryOptions, Retrier } from './retry.js'

function hostsOf(insecure: string[], ...failures: (Error | 'clear text' | undefined)[]) {
  const probed: string[] = []
  const probe = async (url: URL) => {
    const failure = failures[Math.min(probed.length, failures.length - 1)]
    probed.push(url.href)
    if (failure instanceof Error) throw failure
    return failure === undefined
  }
  const retrier = new Retrier({ ...defaultRetryOptions, sleep: async () => {} })
  return { hosts: new Hosts(new InsecureRegistries(insecure), probe, retrier), probed }
}

const clearText = Object.assign(new Error('ssl3_get_record:wrong version number'), { code: 'EPROTO' })
const base = async (hosts: Hosts, registry: string) =>
  (await hosts.endpointOf(registry, createContext())).base.href

describe('R148 to R152: how a registry is reached', () => {
  test('by https and without a question when nothing makes it insecure', async () => {
    const { hosts, probed } = hostsOf([], clearText)
    expect(await base(hosts, 'r.example:5000')).toBe('https://r.example:5000/')
    expect(await base(hosts, 'docker.io')).toBe('https://registry-1.docker.io/')
    expect(probed).toEqual([])
  })

  test('by https where an insecure one speaks TLS, else by http, and asked once', async () => {
    const tls = hostsOf(['r.example'], undefined)
    expect(await base(tls.hosts, 'r.example')).toBe('https://r.example/')
    const plain = hostsOf(['r.example'], clearText)
    for (let times = 0; times < 2; times++)
      expect(await base(plain.hosts, 'r.example')).toBe('http://r.example/')
    expect(plain.probed).toEqual(['https://r.example/v2/'])
    expect(await base(hostsOf(['r.example'], 'clear text').hosts, 'r.example')).toBe('http://r.example/')
  })

  test('by http at port 80 when port 443 is closed', async () => {
    const { hosts } = hostsOf(['r.example'], systemError('ECONNREFUSED'))
    expect(await base(hosts, 'r.example')).toBe('http://r.example/')
  })

  test('not at all when nobody listens, which is not remembered', async () => {
    const { hosts } = hostsOf([], systemError('ECONNREFUSED'), systemError('ECONNREFUSED'), clearText)
    await expect(base(hosts, 'localhost:5000')).rejects.toMatchObject({ code: 'connection-refused' })
    expect(await base(hosts, 'localhost:5000')).toBe('http://localhost:5000/')
  })
})

test('R153: tells clear text from another failure of TLS', () => {
  const url = new URL('https://r.example')
  expect(explainNetworkError(clearText, url)).toMatchObject({ code: 'http-response', retry: 'no' })
  expect(explainNetworkError(clearText, url).hint).toContain('--insecure-registry r.example')
  expect(explainNetworkError(systemError('EPROTO'), url)).toMatchObject({ code: 'network', retry: 'no' })
})

test('R216: a name that resolves to an internal address is refused when connecting', async () => {
  const error = await new Promise(resolve => guardLookup()('localhost', { all: true }, resolve))
  expect(explainNetworkError(error, new URL('https://localhost'))).toMatchObject({
    code: 'unsafe-url',
    text: expect.stringContaining('localhost resolves to the internal address'),
    retry: 'no',
  })
})
