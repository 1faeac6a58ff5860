/** One row of the screen. A row that is wrapped goes on in the next one. */
interface Row {
  text: string
  isWrapped: boolean
}

/**
 * A terminal, as far as progress bars need one: text, line ends, cursor up, erasing, and a size that changes. As most
 * terminals do, it wraps its lines anew when it gets another width.
 */
export class Screen {
  columns: number
  rows: number
  isTTY = true
  isCursorShown = true
  /** From the first row ever written, those above the screen included. */
  #lines: Row[] = [{ text: '', isWrapped: false }]
  #row = 0
  #column = 0
  #top = 0
  readonly #listeners = new Set<() => void>()

  constructor(columns: number, rows: number) {
    this.columns = columns
    this.rows = rows
  }

  /** What can be seen, without blank rows at the end. */
  get visible(): string[] {
    return trimEnd(this.#lines.slice(this.#top, this.#top + this.rows).map(row => row.text))
  }

  /** All that was written, also what has gone off the top. */
  get history(): string[] {
    return trimEnd(this.#lines.map(row => row.text))
  }

  /** How many care for the size. */
  get listenerCount(): number {
    return this.#listeners.size
  }

  on(_event: 'resize', listener: () => void): void {
    this.#listeners.add(listener)
  }

  off(_event: 'resize', listener: () => void): void {
    this.#listeners.delete(listener)
  }

  write(text: string): boolean {
    for (const [token, parameter = '', command = ''] of text.matchAll(/\x1b\[(\??\d*)([A-Za-z])|[\s\S]/gu)) {
      if (command !== '') this.#obey(command, parameter)
      else if (token === '\n') this.#lineFeed(false)
      else if (token === '\r') this.#column = 0
      else this.#put(token)
    }
    return true
  }

  resize(columns: number, rows: number): void {
    const cursorLine = this.#lines.slice(0, this.#row).filter(row => !row.isWrapped).length
    const logical: string[] = ['']
    for (const { text, isWrapped } of this.#lines) {
      logical.push(`${logical.pop() ?? ''}${text}`)
      if (!isWrapped) logical.push('')
    }
    logical.pop()
    this.columns = columns
    this.rows = rows
    this.#lines = []
    for (const [position, line] of logical.entries()) {
      if (position === cursorLine) this.#row = this.#lines.length
      const pieces = line.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? ['']
      for (const [at, text] of pieces.entries()) this.#lines.push({ text, isWrapped: at < pieces.length - 1 })
    }
    this.#top = Math.max(0, this.#row - rows + 1)
    for (const listener of this.#listeners) listener()
  }

  #obey(command: string, parameter: string): void {
    if (command === 'A') this.#row = Math.max(this.#top, this.#row - Number(parameter || 1))
    else if (command === 'K') this.#lines[this.#row] = { text: '', isWrapped: false }
    else if (command === 'J') this.#eraseBelow()
    else if (parameter === '?25') this.isCursorShown = command === 'h'
    else throw new Error(`The screen does not know ${parameter}${command}`)
  }

  /** As tmux does, it keeps in its history what is erased from the top of the screen on. */
  #eraseBelow(): void {
    if (this.#row === this.#top && this.#column === 0 && this.visible.length > 0) {
      this.#lines.length = this.#top + this.visible.length
      this.#row = this.#lines.push({ text: '', isWrapped: false }) - 1
      this.#top = this.#row
      return
    }
    this.#lines.length = this.#row + 1
    const current = this.#lines[this.#row]
    if (current !== undefined) current.text = current.text.slice(0, this.#column)
  }

  #put(character: string): void {
    if (this.#column >= this.columns) this.#lineFeed(true)
    const row = this.#lines[this.#row]
    if (row === undefined) return
    row.text = `${row.text.slice(0, this.#column).padEnd(this.#column)}${character}${row.text.slice(this.#column + 1)}`
    this.#column++
  }

  #lineFeed(isWrapped: boolean): void {
    const row = this.#lines[this.#row]
    if (row !== undefined && isWrapped) row.isWrapped = true
    this.#row++
    this.#column = 0
    this.#lines[this.#row] ??= { text: '', isWrapped: false }
    if (this.#row >= this.#top + this.rows) this.#top++
  }
}

function trimEnd(lines: string[]): string[] {
  const last = lines.findLastIndex(line => line !== '')
  return lines.slice(0, last + 1)
}
