/**
 * Makes text that came from elsewhere (a registry, an image, a file's name) safe to show on a terminal, as one line:
 * newlines and tabs become spaces; other control characters (C0, DEL, C1, so also every escape sequence's start), line
 * separators and the characters that change the direction of text are left out (rule R231).
 */
export function printable(text: string): string {
  return text.replace(/[\t\n\v\f\r\u2028\u2029]+/g, ' ').replace(UNSAFE, '')
}

/** A name that came from elsewhere, in quotes for a message: printable, its start alone when it is long. */
export function quoted(name: string): string {
  const text = printable(JSON.stringify(name))
  return text.length > 200 ? `${text.slice(0, 200)}…"` : text
}

/** Controls, the bidirectional marks, embeddings, overrides and isolates (UAX #9), and the byte order mark. */
const UNSAFE = /[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g
