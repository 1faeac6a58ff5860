import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import type { CommandOutline } from './program-parts.js'
import { ProgramPlugin } from './program-plugin.js'

const outline = (id: string, aliases: string[] = [], hiddenAliases: string[] = []): CommandOutline => {
  return { id, aliases, hiddenAliases, args: {}, hidden: false }
}
const OUTLINES = [
  outline('delete', ['rmi'], ['tag:rm']),
  outline('login', [], ['auth:login']),
  outline('tag'),
  outline('auth:list'),
]

async function commandsFor(...parameters: string[]): Promise<string[]> {
  const pjson = { name: 'program', version: '1.0.0', oclif: {} }
  const parts = {
    root: fileURLToPath(new URL('../..', import.meta.url)),
    pjson,
    outlines: async () => OUTLINES,
    longNames: [],
    loaders: {},
  }
  const plugin = new ProgramPlugin(parts, parameters)
  await plugin.load()
  return plugin.commands.map(({ id }) => id)
}

it('makes the commands that the parameters can mean, by name, topic or alias', async () => {
  expect(await commandsFor('rmi', 'a/b:1')).toEqual(['delete'])
  expect(await commandsFor('tag', 'rm', 'a/b:1')).toEqual(['delete', 'tag'])
  expect(await commandsFor('auth', 'list')).toEqual(['login', 'auth:list'])
  expect(await commandsFor('auth:list')).toEqual(['login', 'auth:list'])
})

it('makes all of them for help and for what is no command', async () => {
  const all = OUTLINES.map(({ id }) => id)
  for (const parameters of [[], ['help', 'tag'], ['tag', '--help'], ['--help'], ['tga'], ['--debug', 'tag']])
    expect(await commandsFor(...parameters)).toEqual(all)
})
