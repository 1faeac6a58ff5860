import { describe, expect, test } from 'vitest'
import { matchKey, matchLongestKey, registryOf, serverOf } from './registry-keys.js'

describe('R123, R124: the key', () => {
  test.each([
    ['r.example', 'r.example'],
    ['https://r.example/v1/', 'r.example'],
    ['http://R.Example', 'r.example'],
    ['r.example:5000', 'r.example:5000'],
    ['https://index.docker.io/v1/', 'docker.io'],
    ['registry-1.docker.io', 'docker.io'],
    ['https://docker.io', 'docker.io'],
    ['https://index.docker.io/v1/', 'registry-1.docker.io'],
  ])('%s is for %s', (key, registry) => {
    expect(matchKey(new Map([[key, 1]]), registry)).toEqual({ key, value: 1 })
  })

  test.each([
    ['r.example', 'r.example:5000'],
    ['r.example:5000', 'r.example'],
    ['r.example', 'evil-r.example'],
    ['r.example.evil', 'r.example'],
  ])('%s is not for %s', (key, registry) => {
    expect(matchKey(new Map([[key, 1]]), registry)).toBeUndefined()
  })

  test('that is exact wins', () => {
    const entries = new Map([
      ['https://r.example', 1],
      ['r.example', 2],
    ])
    expect(matchKey(entries, 'r.example')?.value).toBe(2)
  })
})

test('R124, R134: Docker Hub has one name for stores, and one for people', () => {
  for (const name of ['docker.io', 'index.docker.io', 'registry-1.docker.io']) {
    expect(serverOf(name)).toBe('https://index.docker.io/v1/')
    expect(registryOf(name)).toBe('docker.io')
  }
  expect(registryOf('https://index.docker.io/v1/')).toBe('docker.io')
  expect(serverOf('r.example:5000')).toBe('r.example:5000')
})

describe('R131: a key for a part of a registry', () => {
  const entries = new Map([
    ['r.example', 'host'],
    ['r.example/team', 'team'],
    ['r.example/team/app', 'app'],
    ['docker.io/library', 'hub'],
    ['https://url.example/v1/', 'url'],
  ])

  test.each([
    ['r.example', 'team/app', 'app'],
    ['r.example', 'team/app/sub', 'app'],
    ['r.example', 'team/apple', 'team'],
    ['r.example', 'teams/app', 'host'],
    ['R.example', 'team/app', 'app'],
    ['r.example', undefined, 'host'],
    ['docker.io', 'library/ubuntu', 'hub'],
    ['docker.io', 'ada/app', undefined],
    ['url.example', 'v1/x', 'url'],
    ['url.example', 'team/app', 'url'],
  ])('for %s and %s is that of %s', (registry, repository, value) => {
    expect(matchLongestKey(entries, registry, repository)?.value).toBe(value)
  })

  test('is not for the whole registry', () => {
    expect(matchLongestKey(new Map([['r.example/team', 1]]), 'r.example')).toBeUndefined()
    expect(matchLongestKey(new Map([['r.example/team', 1]]), 'r.example', 'other/app')).toBeUndefined()
  })
})
