import { expect, test } from 'vitest'
import { BASIC, CANARY, MANIFEST, MANIFEST_HEADERS } from '../support/registry-fixtures.js'
import { regctl, regctlWith } from '../support/run.js'
import { answer, startScripted } from '../support/scripted-server.js'

/** What reached a registry of a password at standard input. */
async function sent(stdin: string): Promise<string> {
  await using registry = await startScripted([
    [/./, answer(401, { 'www-authenticate': 'Basic' }), answer(200, MANIFEST_HEADERS, MANIFEST.bytes)],
  ])
  const login = ['--username', '_json_key', '--password-stdin']
  const { code } = await regctlWith({ stdin }, 'manifest', `${registry.host}/a:1`, ...login)
  expect(code).toBe(0)
  const header = registry.seen.at(-1)?.headers.authorization ?? ''
  return `${Buffer.from(header.replace('Basic ', ''), 'base64')}`.replace('_json_key:', '')
}

test.each([
  ['one line', 'secret\n', 'secret'],
  ['a line of Windows', 'secret\r\n', 'secret'],
  ['no line end', 'secret', 'secret'],
  ['a key of many lines', '{\n  "key": "a"\n}\n', '{\n  "key": "a"\n}'],
  ['two line ends, of which one goes', 'secret\n\n', 'secret\n'],
  ['spaces, which stay', ' secret \n', ' secret '],
])('R220: a password at standard input may be %s', async (_what, stdin, expected) => {
  expect(await sent(stdin)).toBe(expected)
})

test('R220: no command takes a password among its parameters without a word', async () => {
  for (const verb of ['push', 'pull', 'copy', 'manifest', 'delete', 'login']) {
    const { code, stderr, stdout } = await regctl(
      verb,
      'x.example/a:1',
      '--username',
      'ada',
      '--password',
      CANARY,
    )
    expect(code, verb).not.toBe(0)
    expect(stderr, verb).toMatch(/^(?:error|warning): /)
    expect(stdout + stderr, verb).not.toContain(CANARY)
    expect(stdout + stderr, verb).not.toContain(BASIC)
  }
})
