import type { PlaceEntry } from '../index.js'

const KINDS = {
  password: 'password',
  'identity-token': 'identity token',
  'registry-token': 'registry token',
  helper: 'helper',
} as const

/** What kind of login an entry is, in words. */
export function kindOf({ kind }: Pick<PlaceEntry, 'kind'>): string {
  return KINDS[kind]
}

/** An entry in a few words: `password of ada`, `identity token from docker-credential-pass`. */
export function describeEntry(entry: PlaceEntry): string {
  if (entry.kind === 'helper') return `what ${entry.helper ?? 'a helper'} answers`
  const whose = entry.username === undefined ? '' : ` of ${entry.username}`
  const helper = entry.helper === undefined ? '' : ` from ${entry.helper}`
  return `${kindOf(entry)}${whose}${helper}`
}
