import { expect, it } from 'vitest'
import { parseRegistry } from './parse-registry.js'

it.each([
  ['localhost', 'localhost'],
  ['localhost:5000', 'localhost:5000'],
  ['docker://registry.example.org/', 'registry.example.org'],
  ['[::1]:5000', '[::1]:5000'],
  ['index.docker.io', 'docker.io'],
])('reads %s', (text, registry) => expect(parseRegistry(text)).toBe(registry))

it.each([
  ['localhost:5000/app', 'it names a repository', 'run `regctl tags localhost:5000/app`'],
  ['https://localhost:5000', 'it has a scheme', 'Write it without: localhost:5000'],
  ['ubuntu', 'it is no host', 'HOST[:PORT]'],
  ['localhost:99999', 'it is no host', 'HOST[:PORT]'],
  ['', 'it is no host', 'HOST[:PORT]'],
])('refuses %s, as %s', (text, why, hint) => {
  expect(() => parseRegistry(text)).toThrow(
    expect.objectContaining({
      kind: 'usage',
      code: 'not-a-registry',
      message: `"${text}" is not a registry: ${why}`,
      hint: expect.stringContaining(hint),
    }),
  )
})
