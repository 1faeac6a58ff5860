import fc from 'fast-check'
import { RegctlError } from '../../src/errors.js'

/** How often a property is tried, unless the test says. */
const RUNS = 200

/** `REGCTL_PROPERTY_RUNS=50` tries each property fifty times as often: for a longer search than a test run has time for. */
const factor = Math.max(1, Number(process.env.REGCTL_PROPERTY_RUNS ?? 1) || 1)

/** What every object inherits. A key of somebody's JSON must never come to be among it (rule R228). */
const INHERITED = Object.getOwnPropertyNames(Object.prototype).join()

/**
 * Tries a property with many values. A failure shows the smallest value that was found, and the seed that finds it again.
 *
 * @param runs how often; {@link RUNS} when not given
 */
export async function holds<T>(
  values: fc.Arbitrary<T>,
  property: (value: T) => void | Promise<void>,
  runs = RUNS,
): Promise<void> {
  const tried = fc.asyncProperty(values, async value => {
    await property(value)
    if (Object.getOwnPropertyNames(Object.prototype).join() !== INHERITED)
      throw new Error('all objects changed')
  })
  await fc.assert(tried, { numRuns: runs * factor })
}

type Constructor = abstract new (...parameters: never[]) => Error

/**
 * What `parse` gives; undefined when it refuses its input in one of the ways that it is documented to: with a
 * RegctlError whose message can be shown as it is, or one of `others`. Everything else that it throws passes.
 */
export async function unlessRefused<T>(
  parse: () => T | Promise<T>,
  ...others: Constructor[]
): Promise<T | undefined> {
  try {
    return await parse()
  } catch (error) {
    if (others.some(other => error instanceof other)) return undefined
    if (!(error instanceof RegctlError)) throw error
    if (/[\x00-\x1f\x7f]/.test(error.message)) throw new Error(`controls in ${JSON.stringify(error.message)}`)
    if (error.message.length > 10_000) throw new Error(`a message of ${error.message.length} characters`)
    return undefined
  }
}

/** Text made of the words that mean something to a parser, between any other text. */
export function textOf(...words: string[]): fc.Arbitrary<string> {
  const piece = fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(...words) },
    { weight: 1, arbitrary: fc.string({ maxLength: 8 }) },
    { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 4 }) },
  )
  return fc.array(piece, { maxLength: 16 }).map(pieces => pieces.join(''))
}

/** What stands in JSON where something else should. */
const NASTY: readonly unknown[] = [
  null,
  true,
  0,
  -1,
  1.5,
  1e20,
  Number.MAX_SAFE_INTEGER,
  '',
  '../../etc/passwd',
  '__proto__',
  'a\u001b[2J\u202e\r\n',
  'x'.repeat(5000),
  [],
  {},
  [[[[]]]],
  // As JSON.parse makes it: an own key of that name.
  JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'),
]

const nasty = fc.oneof(fc.constantFrom(...NASTY), fc.jsonValue({ maxDepth: 2 }))

/**
 * A JSON document like this one in which up to three values, at any depth, are others, gone, or there under another key.
 */
export function spoiledJson(document: unknown): fc.Arbitrary<string> {
  const change = fc.record({ at: fc.nat(), to: nasty, how: fc.constantFrom('replace', 'remove', 'add') })
  return fc.array(change, { maxLength: 3 }).map(changes => {
    const copy: unknown = structuredClone(document)
    // A copy of its own each time, since a later change may spoil what an earlier one put in. JSON keeps `__proto__`.
    for (const { at, to, how } of changes) spoil(copy, at, JSON.parse(JSON.stringify(to)), how)
    return JSON.stringify(copy)
  })
}

function spoil(document: unknown, at: number, to: unknown, how: string): void {
  const places = [...placesIn(document)]
  const place = places[at % places.length]
  if (place === undefined) return
  const { parent, key } = place
  if (how === 'remove') delete parent[key]
  else {
    const name = how === 'add' && !Array.isArray(parent) ? '__proto__' : key
    Object.defineProperty(parent, name, { value: to, enumerable: true, configurable: true, writable: true })
  }
}

/** Every value inside a document: where it is. */
function* placesIn(value: unknown): Generator<{ parent: Record<string, unknown>; key: string }> {
  if (typeof value !== 'object' || value === null) return
  for (const key of Object.keys(value)) {
    yield { parent: value as Record<string, unknown>, key }
    yield* placesIn((value as Record<string, unknown>)[key])
  }
}

/** The same bytes with a few of them changed, cut out, doubled or cut off. */
export function spoiledBytes(bytes: Uint8Array): fc.Arbitrary<Buffer> {
  const change = fc.record({
    at: fc.nat(Math.max(0, bytes.length - 1)),
    byte: fc.nat(255),
    length: fc.nat(600),
    how: fc.constantFrom('set', 'flip', 'set', 'flip', 'cut', 'double', 'end'),
  })
  return fc.array(change, { maxLength: 4 }).map(changes => {
    let result = Buffer.from(bytes)
    for (const { at, byte, length, how } of changes) {
      const end = Math.min(at + length, result.length)
      const start = Math.min(at, result.length)
      if (how === 'set' && start < result.length) result[start] = byte
      else if (how === 'flip' && start < result.length)
        result[start] = (result[start] ?? 0) ^ (1 << (byte % 8))
      else if (how === 'cut') result = Buffer.concat([result.subarray(0, start), result.subarray(end)])
      else if (how === 'double') result = Buffer.concat([result.subarray(0, end), result.subarray(start)])
      else if (how === 'end') result = result.subarray(0, start)
    }
    return result
  })
}
