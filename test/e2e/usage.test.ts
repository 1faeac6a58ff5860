import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { schemaErrors } from '../support/json-schema.js'
import { regctl } from '../support/run.js'

const MANIFEST = fileURLToPath(new URL('../../oclif.manifest.json', import.meta.url))

interface CommandManifest {
  id: string
  summary?: string
  examples?: string[]
  aliases: string[]
  hiddenAliases: string[]
  args: Record<string, { required?: boolean; description?: string }>
  flags: Record<string, { description?: string; hidden?: boolean }>
}

/** Without `help` itself: its own help is that of all. */
const commands = Object.values(
  (JSON.parse(readFileSync(MANIFEST, 'utf8')) as { commands: Record<string, CommandManifest> }).commands,
).filter(({ id }) => id !== 'help')
const words = (id: string) => id.split(':')

describe.each(commands)('regctl $id', ({ id, summary, examples, aliases, hiddenAliases, args, flags }) => {
  it('has help that says what it does, its flags and examples', async () => {
    const { code, stdout, stderr } = await regctl(...words(id), '--help')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(summary).toBeTruthy()
    expect(stdout.startsWith(summary ?? '?')).toBe(true)
    expect(examples?.length ?? 0).toBeGreaterThan(0)
    for (const [name, { description }] of Object.entries(flags)) {
      expect(stdout).toContain(`--${name}`)
      expect(description, `--${name} says what it does`).toBeTruthy()
    }
    for (const { description } of Object.values(args)) expect(description).toBeTruthy()
  })

  it('refuses a flag that it does not have', async () => {
    const { code, stdout, stderr } = await regctl(...words(id), '--frobnicate')
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
    expect(stderr).toMatch(/^error: .*--frobnicate.*\nhint: Run `regctl --help`/)
  })

  if (Object.values(args).some(({ required }) => required)) {
    it('says which arguments are missing, in JSON too', async () => {
      const { code, stdout, stderr } = await regctl(...words(id), '--json')
      expect(code).toBe(2)
      expect(stderr).toMatch(/^error: Missing \d+ required arg/)
      expect(schemaErrors('error', stdout)).toEqual([])
      expect(JSON.parse(stdout)).toMatchObject({ error: { kind: 'usage' } })
    })
  }

  it.each([...aliases, ...hiddenAliases])('is known as %s too', async alias => {
    const { code, stdout } = await regctl(...words(alias), '--help')
    expect(code).toBe(0)
    expect(stdout.startsWith(summary ?? '?')).toBe(true)
  })
})

describe('regctl', () => {
  it('lists its commands, without the other names that they have', async () => {
    const { code, stdout } = await regctl('--help')
    expect(code).toBe(0)
    // Those of two words are listed by the first one alone.
    for (const { id } of commands) expect(stdout).toContain(`\n  ${words(id)[0]} `)
    for (const topic of ['image', 'repo', 'blob get']) expect(stdout).not.toContain(`\n  ${topic} `)
  })

  it('has a command that shows the help of another', async () => {
    const [asCommand, asFlag] = [await regctl('help', 'push'), await regctl('push', '--help')]
    expect(asCommand.code).toBe(0)
    expect(asCommand.stdout).toBe(asFlag.stdout)
  })

  it('refuses a command that it does not have', async () => {
    const { code, stderr } = await regctl('frobnicate')
    expect(code).toBe(2)
    expect(stderr).toMatch(/^error: .*frobnicate.*\nhint: /)
  })
})
