/*
 * The parts of DER (ITU-T X.690) that a certificate is made of. Each function gives the bytes of one value: its tag,
 * its length and its content.
 */

/** A value whose content is other values, in order. */
export function sequence(...values: readonly Buffer[]): Buffer {
  return value(0x30, ...values)
}

/** A set of one value, which is all that names need; more would have to be sorted. */
export function setOf(only: Buffer): Buffer {
  return value(0x31, only)
}

/** A whole number that is not negative, from its bytes, the most significant first. */
export function integer(bytes: Uint8Array): Buffer {
  const start = bytes.findIndex(byte => byte !== 0)
  const shortest = start < 0 ? Buffer.from([0]) : Buffer.from(bytes.subarray(start))
  // A first bit of one would make it negative.
  const isPadded = ((shortest[0] ?? 0) & 0x80) !== 0
  return value(0x02, Buffer.from(isPadded ? [0] : []), shortest)
}

/** TRUE. What is FALSE by default is left out in DER, so there is no other. */
export function booleanTrue(): Buffer {
  return value(0x01, Buffer.from([0xff]))
}

/** Whole bytes as a bit string. */
export function bitString(bytes: Uint8Array): Buffer {
  return value(0x03, Buffer.from([0]), bytes)
}

/** Named flags as a bit string: the numbers of those that are set, 7 at most, without trailing zeros. */
export function namedBits(...set: readonly number[]): Buffer {
  const byte = set.reduce((bits, number) => bits | (0x80 >> number), 0)
  return value(0x03, Buffer.from([7 - Math.max(...set), byte]))
}

/** Bytes, such as an extension's value. */
export function octetString(bytes: Uint8Array): Buffer {
  return value(0x04, bytes)
}

/** Text. */
export function utf8String(text: string): Buffer {
  return value(0x0c, Buffer.from(text, 'utf8'))
}

/** An object identifier, written with dots: `2.5.29.17`. */
export function objectIdentifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...others] = dotted.split('.').map(Number)
  return value(0x06, Buffer.from([first * 40 + second, ...others.flatMap(base128)]))
}

/** A moment, to the second, in the form that RFC 5280, Validity, wants: two digits for a year before 2050. */
export function time(date: Date): Buffer {
  const digits = `${date.toISOString().slice(0, 19).replace(/\D/g, '')}Z`
  const isShort = date.getUTCFullYear() < 2050
  return isShort ? value(0x17, Buffer.from(digits.slice(2))) : value(0x18, Buffer.from(digits))
}

/** A value that is tagged by its place, `[number]`, with other values in it (EXPLICIT, or an IMPLICIT sequence). */
export function contextConstructed(number: number, ...values: readonly Buffer[]): Buffer {
  return value(0xa0 | number, ...values)
}

/** Bytes that are tagged by their place (IMPLICIT). */
export function contextPrimitive(number: number, bytes: Uint8Array): Buffer {
  return value(0x80 | number, bytes)
}

function value(tag: number, ...content: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(content)
  return Buffer.concat([Buffer.from([tag, ...lengthOf(body.length)]), body])
}

function lengthOf(length: number): number[] {
  if (length < 0x80) return [length]
  const bytes = [...bigEndian(length)]
  return [0x80 | bytes.length, ...bytes]
}

function bigEndian(number: number): number[] {
  return number < 0x100 ? [number] : [...bigEndian(Math.floor(number / 0x100)), number % 0x100]
}

/** Seven bits to a byte; all bytes but the last have the highest bit set. */
function base128(number: number): number[] {
  const groups = [number & 0x7f]
  for (let rest = number >>> 7; rest > 0; rest >>>= 7) groups.unshift(0x80 | (rest & 0x7f))
  return groups
}
