import { describe, expect, test } from 'vitest'
import { parseLoginRegistry } from './login-registry.js'

describe('the registry of a login', () => {
  test.each([
    ['localhost:5000', { registry: 'localhost:5000' }],
    ['https://ghcr.io', { registry: 'ghcr.io' }],
    ['http://r.example:5000/', { registry: 'r.example:5000' }],
    ['https://r.example/v2/', { registry: 'r.example' }],
    ['docker://ghcr.io/acme/app:1', { registry: 'ghcr.io', ignored: 'acme/app:1' }],
    ['localhost/app', { registry: 'localhost', ignored: 'app' }],
  ])('%s is %j', (text, expected) => {
    expect(parseLoginRegistry(text)).toEqual(expected)
  })

  test.each([
    'docker.io',
    'index.docker.io',
    'https://index.docker.io/v1/',
    'registry-1.docker.io',
    'Docker.io',
  ])('R111, R124: %s is Docker Hub', text => {
    expect(parseLoginRegistry(text)).toEqual({ registry: 'docker.io' })
  })

  test.each(['acme/app', 'ubuntu', 'r.example:0', 'ftp://r.example', 'r example', ''])('%j is none', text => {
    expect(() => parseLoginRegistry(text)).toThrow(/registry/)
  })
})
