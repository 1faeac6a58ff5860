/** Characters that take two columns: East Asian wide and full width ones (UAX #11), and emoji. */
const WIDE =
  /^[\p{Emoji_Presentation}\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
/** Those that take none, and stand on the one before: accents, joiners, variation selectors. */
const NARROW = /^[\p{M}\u200b-\u200d\u2060]/u

/** How many columns of a terminal text takes. It has no control characters; see `printable`. */
export function displayWidth(text: string): number {
  let width = 0
  for (const character of text) width += columnsOf(character)
  return width
}

function columnsOf(character: string): number {
  if (character >= ' ' && character <= '~') return 1
  return NARROW.test(character) ? 0 : WIDE.test(character) ? 2 : 1
}

/** The text with spaces after it, or before it, up to a width. */
export function pad(text: string, width: number, side: 'left' | 'right' = 'left'): string {
  const spaces = ' '.repeat(Math.max(0, width - displayWidth(text)))
  return side === 'left' ? text + spaces : spaces + text
}

/** The text if it fits, else its beginning with an ellipsis. */
export function shorten(text: string, width: number, ellipsis = '…'): string {
  if (text.length <= width && displayWidth(text) <= width) return text
  return `${head(text, Math.max(0, width - displayWidth(ellipsis)))}${ellipsis}`.trimEnd()
}

/** The longest beginning of a text that fits. */
export function head(text: string, width: number): string {
  let used = 0
  let end = 0
  for (const character of text) {
    used += columnsOf(character)
    if (used > width) break
    end += character.length
  }
  return text.slice(0, end)
}

/**
 * Text in lines that fit, broken at spaces where there are some.
 *
 * @param limit how many lines at most; the last one ends in an ellipsis when there is more
 */
export function wrap(text: string, width: number, limit: number, ellipsis = '…'): string[] {
  const lines: string[] = []
  let rest = text
  while (rest !== '') {
    if (lines.length === limit - 1) return [...lines, shorten(rest, width, ellipsis)]
    const fitting = head(rest, Math.max(2, width))
    if (fitting === rest) return [...lines, rest]
    const space = rest[fitting.length] === ' ' ? fitting.length : fitting.lastIndexOf(' ')
    const line = space > width / 2 ? fitting.slice(0, space) : fitting
    lines.push(line)
    rest = rest.slice(line.length).trimStart()
  }
  return lines.length === 0 ? [''] : lines
}
