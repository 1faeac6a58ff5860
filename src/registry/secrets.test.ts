import { expect, test } from 'vitest'
import { fakeSender, requestOf } from '../../test/support/fake-sender.js'
import { Secrets, withoutSecrets } from './secrets.js'

const PASSWORD = 'canary "with" ünicode & more'

function secrets(): Secrets {
  const known = new Secrets()
  known.addCredential({ kind: 'password', username: 'ada', password: PASSWORD, from: 'test' })
  known.add('canary-token')
  return known
}

test.each([
  ['itself', PASSWORD],
  ['in JSON', JSON.stringify({ password: PASSWORD }).slice(13, -2)],
  ['in a query', encodeURIComponent(PASSWORD)],
  ['in a form', new URLSearchParams({ x: PASSWORD }).toString().slice(2)],
  ['in base64', Buffer.from(PASSWORD).toString('base64')],
  ['in Basic', Buffer.from(`ada:${PASSWORD}`).toString('base64')],
])('R219: hides a password as %s', (_name, text) => {
  expect(secrets().redact(`you sent ${text} to me`)).toBe('you sent [redacted] to me')
})

test('R219: what a server repeats of a secret, in a body or in a header, reaches nobody', async () => {
  const headers = {
    warning: '299 - "canary-token"',
    'www-authenticate': 'Basic realm="canary-token"',
    x: '1',
  }
  const { send } = fakeSender({
    status: 500,
    headers,
    body: `Authorization: Bearer canary-token, ${PASSWORD}`,
  })
  const response = await withoutSecrets(send, secrets())(requestOf())
  expect(`${response.bytes}`).toBe('Authorization: Bearer [redacted], [redacted]')
  expect(response.headers).toEqual({
    warning: '299 - "[redacted]"',
    'www-authenticate': 'Basic realm="[redacted]"',
    x: '1',
  })
})

test('leaves content as it is', async () => {
  const { send } = fakeSender({ status: 200, body: 'canary-token' })
  expect(`${(await withoutSecrets(send, secrets())(requestOf())).bytes}`).toBe('canary-token')
})

test('does not look for what is too short to be told from a word', () => {
  const known = new Secrets()
  known.add('an')
  expect(known.redact('an image')).toBe('an image')
})
