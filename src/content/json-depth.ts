/**
 * The most levels of lists and objects that JSON may have. Parsing would take more, but writing it again and comparing it
 * go down level by level, and come to the end of the stack.
 */
export const MAXIMUM_JSON_DEPTH = 256

const QUOTE = 0x22
const BACKSLASH = 0x5c
/** Brackets and braces differ in this bit alone. */
const CURLY = 0x20
const OPENING = 0x7b
const CLOSING = 0x7d

/** Whether JSON in UTF-8 has more levels than `depth`. Of what is no JSON, any answer may be given. */
export function isDeeperThan(bytes: Uint8Array, depth: number): boolean {
  let level = 0
  let isText = false
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (isText) {
      if (byte === BACKSLASH) at++
      else if (byte === QUOTE) isText = false
    } else if (byte === QUOTE) isText = true
    else if ((byte | CURLY) === OPENING) {
      level++
      if (level > depth) return true
    } else if ((byte | CURLY) === CLOSING) level--
  }
  return false
}
