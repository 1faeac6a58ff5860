import { describe, expect, test } from 'vitest'
import { coversScopes, formatScope, mergeScopes, parseScopes, repositoryScope, widerScopes } from './scope.js'

const written = (scopes: ReturnType<typeof mergeScopes>) => scopes.map(formatScope).join(' ')

test.each([
  ['repository:a/b:pull,push', 'repository:a/b', ['pull', 'push']],
  ['repository:r.example:5000/a:pull', 'repository:r.example:5000/a', ['pull']],
  ['repository(plugin):a:pull', 'repository(plugin):a', ['pull']],
  ['registry:catalog:*', 'registry:catalog', ['*']],
])('R103: the actions of %s come after its last colon', (text, resource, actions) => {
  expect(parseScopes(text)).toEqual([{ resource, actions }])
})

test('R103: what is no scope is left out', () => {
  expect(parseScopes('nonsense a:b repository:a:pull')).toEqual([
    { resource: 'repository:a', actions: ['pull'] },
  ])
})

test('R104, R107: reading asks for pull alone, writing for pull and push', () => {
  expect(formatScope(repositoryScope('a', 'pull'))).toBe('repository:a:pull')
  expect(formatScope(repositoryScope('a', 'push'))).toBe('repository:a:pull,push')
})

test('R105: one scope for each repository, the first one first', () => {
  const scopes = mergeScopes(
    parseScopes('repository:target:pull'),
    parseScopes('repository:source:pull'),
    parseScopes('repository:target:push'),
  )
  expect(written(scopes)).toBe('repository:target:pull,push repository:source:pull')
})

describe('R108: after a refusal', () => {
  test('asks for what both name', () => {
    const scopes = parseScopes('repository:a:pull')
    expect(written(widerScopes(scopes, 'repository:a:push'))).toBe('repository:a:pull,push')
    expect(written(widerScopes(scopes, ''))).toBe('repository:a:pull')
  })

  test('R105: keeps the repository that is written to first', () => {
    const scopes = parseScopes('repository:a:pull,push')
    expect(written(widerScopes(scopes, 'repository:b:pull repository:a:pull'))).toBe(
      'repository:a:pull,push repository:b:pull',
    )
  })

  test.each([
    ['repository:a:*', 'repository:a:*'],
    ['repository:a:delete', 'repository:a:delete'],
    ['', 'repository:a:delete,pull,push'],
  ])('R120: asks for the right to delete as the challenge "%s" has it', (challenged, expected) => {
    expect(written(widerScopes([repositoryScope('a', 'delete')], challenged))).toBe(expected)
  })
})

test('R120: the right to everything covers every action, in its repository', () => {
  expect(coversScopes(parseScopes('repository:a:*'), [repositoryScope('a', 'delete')])).toBe(true)
  expect(coversScopes(parseScopes('repository:a:*'), [repositoryScope('b', 'pull')])).toBe(false)
  expect(coversScopes(parseScopes('repository:a:pull'), [repositoryScope('a', 'push')])).toBe(false)
})
