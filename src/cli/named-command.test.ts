import { expect, it } from 'vitest'
import { findNamedCommand } from './named-command.js'

const load = () => Promise.reject(new Error('nothing is loaded to find a command'))
const parts = {
  root: '/',
  pjson: { name: 'program', version: '1.0.0', oclif: {} },
  outlines: async () => [],
  longNames: ['auth:list', 'tag:rm'],
  loaders: { tag: load, help: load, 'auth:list': load },
}

const find = (...parameters: string[]) => findNamedCommand(parameters, parts)

it('finds a command by its name, of one or two words', () => {
  expect(find('tag', 'a/b:1', 'c')).toEqual({ id: 'tag', load, parameters: ['a/b:1', 'c'] })
  expect(find('tag')).toEqual({ id: 'tag', load, parameters: [] })
  expect(find('auth', 'list', '--json')).toEqual({ id: 'auth:list', load, parameters: ['--json'] })
})

it('leaves to oclif what is an alias, a topic, no command, or asks for help', () => {
  expect(find('tag', 'rm', 'a/b:1')).toBeUndefined()
  for (const word of ['auth', 'help', '--help', '--version', 'rm', 'constructor', ''])
    expect(find(word)).toBeUndefined()
  expect(find('tag', 'a/b:1', '--help')).toBeUndefined()
  expect(find()).toBeUndefined()
})
