import bcrypt from 'bcryptjs'
import { expect, test, vi } from 'vitest'
import { Htpasswd } from './htpasswd.js'

const hash = (password: string) => bcrypt.hashSync(password, 4)

test('knows each user by the password of that user', async () => {
  const passwords = Htpasswd.parse(`# users\r\nann:${hash('one')}\r\n\r\nbob:${hash('two')}\n`, 'users')
  expect(await passwords.check('ann', 'one')).toBe(true)
  expect(await passwords.check('bob', 'two')).toBe(true)
  expect(await passwords.check('ann', 'two')).toBe(false)
  expect(await passwords.check('carl', 'one')).toBe(false)
  expect(await passwords.check('ann', '')).toBe(false)
})

test('takes the hashes of all variants of bcrypt', async () => {
  for (const variant of ['2a', '2b', '2y']) {
    const passwords = Htpasswd.parse(`ann:${hash('one').replace(/^\$2./, `$${variant}`)}`, 'users')
    expect(await passwords.check('ann', 'one')).toBe(true)
  }
})

test('hashes the same credentials once', async () => {
  const passwords = Htpasswd.parse(`ann:${hash('one')}`, 'users')
  const compare = vi.spyOn(bcrypt, 'compare')
  try {
    for (let count = 0; count < 5; count++) await passwords.check('ann', 'one')
    await Promise.all([passwords.check('ann', 'two'), passwords.check('ann', 'two')])
    expect(compare).toHaveBeenCalledTimes(2)
  } finally {
    compare.mockRestore()
  }
})

test('does not take one pair of credentials for another that is written alike', async () => {
  const passwords = Htpasswd.parse(`ann:${hash('b:c')}`, 'users')
  expect(await passwords.check('ann', 'b:c')).toBe(true)
  expect(await passwords.check('ann:b', 'c')).toBe(false)
})

test.each(['ann', ':hash', 'ann:plain', 'ann:$apr1$abc$def', `ann:${'$2b$04$'}short`])(
  'refuses the line "%s"',
  line => {
    expect(() => Htpasswd.parse(`${line}\n`, 'users')).toThrow(
      'line 1 of users is not a user with a bcrypt hash',
    )
  },
)

test('lets nobody in by a file without users', async () => {
  expect(await Htpasswd.parse('# nobody yet\n', 'users').check('ann', 'one')).toBe(false)
})
