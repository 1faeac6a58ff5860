/** One way to authenticate that a server offers (RFC 9110, section 11.6.1). */
export interface Challenge {
  /** In lower case: `bearer`, `basic`. */
  readonly scheme: string
  /** Names in lower case. */
  readonly parameters: ReadonlyMap<string, string>
}

/**
 * Reads WWW-Authenticate, which may occur several times and hold several challenges each (rule R88). A malformed
 * challenge is left out.
 */
export function parseChallenges(headers: readonly string[]): Challenge[] {
  return headers.flatMap(header => [...challengesOf(header)])
}

/** The challenge to answer: Bearer before Basic; others are not spoken (rule R89). A Bearer needs a realm. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  const bearer = challenges.find(({ scheme, parameters }) => scheme === 'bearer' && parameters.has('realm'))
  return bearer ?? challenges.find(({ scheme }) => scheme === 'basic')
}

const TOKEN = "[A-Za-z0-9!#$%&'*+.^_`|~-]+"
/** A scheme is a word that is not followed by `=`: otherwise it is a parameter of the challenge before. */
const SCHEME = new RegExp(`[\\s,]*(${TOKEN})(?=\\s+[^\\s=,]|\\s*(?:,|$))(?!\\s*=)`, 'y')
const PARAMETER = new RegExp(
  `[\\s,]*(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|([^\\s",]+))\\s*(?=,|$)`,
  'y',
)
const TOKEN68 = /\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)/y

function* challengesOf(header: string): Generator<Challenge> {
  let position = 0
  const match = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = position
    const found = pattern.exec(header)
    if (found !== null) position = pattern.lastIndex
    return found
  }
  while (position < header.length) {
    const scheme = match(SCHEME)?.[1]
    if (scheme === undefined) return
    const parameters = new Map<string, string>()
    let parameter = match(PARAMETER)
    if (parameter === null) match(TOKEN68)
    while (parameter !== null) {
      const [, name = '', quoted, plain = ''] = parameter
      parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/g, '$1'))
      parameter = match(PARAMETER)
    }
    // What stands here is neither a parameter nor a scheme: the challenge is malformed, and where the next begins is unknown.
    const isClean = /^[\s,]*$/.test(header.slice(position)) || startsScheme(header, position)
    if (!isClean) return
    yield { scheme: scheme.toLowerCase(), parameters }
  }
}

function startsScheme(header: string, position: number): boolean {
  SCHEME.lastIndex = position
  return /^\s*,/.test(header.slice(position)) && SCHEME.test(header)
}
