import { RegctlError } from '../errors.js'

/** Which names of a list are wanted. */
export interface NameSelection {
  /** Globs of which one must match. Default: every name. */
  include?: readonly string[] | undefined
  /** Globs of which none may match. Default: none. */
  exclude?: readonly string[] | undefined
}

/** One place of a glob: any number of characters, or one character of some kind. */
type Step = 'many' | ((character: string) => boolean)

/** No tag and no repository's name comes near this. */
const MAXIMUM_LENGTH = 1024

/**
 * Makes a test for names out of globs: `*` stands for any characters (a slash too), `?` for one, `[a-z0-9]` for one of
 * these and `[!a-z]` for one that is none of them. Upper and lower case differ. A name is tested in time that grows with
 * its length times the pattern's, whatever they are.
 *
 * @throws RegctlError of kind `usage`, code `bad-pattern`, for a glob that can't be read
 * @example
 * const isWanted = nameFilter({ include: ['1.*'], exclude: ['*-rc?'] })
 * isWanted('1.2') // true
 */
export function nameFilter({ include, exclude }: NameSelection): (name: string) => boolean {
  const included = include?.map(parseGlob)
  const excluded = exclude?.map(parseGlob) ?? []
  const takesAll = included === undefined || included.length === 0
  return name =>
    (takesAll || included.some(glob => matches(glob, name))) && !excluded.some(glob => matches(glob, name))
}

function parseGlob(text: string): Step[] {
  const fail = (why: string) =>
    new RegctlError(`"${text.slice(0, 100)}" is not a pattern: ${why}`, {
      kind: 'usage',
      code: 'bad-pattern',
      hint: 'Write it with *, ? and [a-z], in quotes: `1.*`, `v[0-9]`',
    })
  if (text === '') throw fail('it is empty')
  if (text.length > MAXIMUM_LENGTH) throw fail(`it is longer than ${MAXIMUM_LENGTH} characters`)
  const steps: Step[] = []
  for (let at = 0; at < text.length; at++) {
    const character = text[at]
    if (character === '*') {
      if (steps.at(-1) !== 'many') steps.push('many')
    } else if (character === '?') steps.push(() => true)
    else if (character === '[') {
      const end = endOfSet(text, at)
      if (end < 0) throw fail('its [ is never closed')
      steps.push(parseSet(text.slice(at + 1, end)))
      at = end
    } else steps.push(other => other === character)
  }
  return steps
}

/** Where the set that begins at `start` is closed; a `]` right at its beginning is one of its characters. */
function endOfSet(text: string, start: number): number {
  const negation = /[!^]/.test(text[start + 1] ?? '') ? 1 : 0
  return text.indexOf(']', start + 2 + negation)
}

function parseSet(content: string): Step {
  const isNegated = /^[!^]/.test(content)
  const ranges: [string, string][] = []
  for (let rest = isNegated ? content.slice(1) : content; rest !== ''; ) {
    const [first = '', dash, last] = rest
    const isRange = dash === '-' && last !== undefined
    ranges.push([first, isRange ? last : first])
    rest = rest.slice(isRange ? 3 : 1)
  }
  return character => ranges.some(([first, last]) => character >= first && character <= last) !== isNegated
}

/**
 * Goes through both once. Where they part, the last `*` takes one character more, and only the last one: what comes
 * before it has matched already, and needs no second try.
 */
function matches(glob: readonly Step[], name: string): boolean {
  let [at, step] = [0, 0]
  let star: { step: number; at: number } | undefined
  while (at < name.length) {
    const current = glob[step]
    if (current === 'many') {
      star = { step, at }
      step++
    } else if (current?.(name[at] ?? '') === true) {
      at++
      step++
    } else if (star !== undefined) {
      star.at++
      at = star.at
      step = star.step + 1
    } else return false
  }
  while (glob[step] === 'many') step++
  return step === glob.length
}
