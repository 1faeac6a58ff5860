/** The polynomial of CRC-32, its highest power in the lowest bit (RFC 1952, 8). */
const POLYNOMIAL = 0xedb88320
/** The polynomial 1, in the same order of bits. */
const ONE = 0x80000000

/**
 * The CRC-32 of two pieces one after the other, from that of each. So pieces can be looked at in any order, by anybody.
 *
 * A checksum is a remainder of polynomials: bytes that follow multiply what was before them by x^8 each.
 *
 * @param size of the second piece, in bytes
 */
export function joinChecksums(first: number, second: number, size: number): number {
  return (multiply(powerOfX(size * 8), first) ^ second) >>> 0
}

let lastPower = { exponent: 0, power: ONE }

/** x to the power of an exponent. All but the last of many pieces have the same size: the last answer is remembered. */
function powerOfX(exponent: number): number {
  if (lastPower.exponent === exponent) return lastPower.power
  let power = ONE
  // x to the power of 1, 2, 4, 8…
  let square = ONE >>> 1
  for (let left = exponent; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) power = multiply(power, square)
    square = multiply(square, square)
  }
  lastPower = { exponent, power }
  return power
}

/** The product of two polynomials, modulo {@link POLYNOMIAL}. */
function multiply(one: number, other: number): number {
  let product = 0
  let shifted = other
  for (let bit = ONE; bit !== 0; bit >>>= 1) {
    if ((one & bit) !== 0) product ^= shifted
    shifted = (shifted & 1) === 0 ? shifted >>> 1 : (shifted >>> 1) ^ POLYNOMIAL
  }
  return product >>> 0
}
