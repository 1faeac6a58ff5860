import { StringDecoder } from 'node:string_decoder'
import type { ReadStream } from 'node:tty'
import { InterruptedError, RegctlError } from '../index.js'

/** How to ask for a line at a terminal. */
export interface PromptOptions {
  input: Pick<ReadStream, 'on' | 'off' | 'pause' | 'resume' | 'setRawMode' | 'unshift'>
  output: { write(text: string): unknown }
  signal: AbortSignal
  /** What is typed is not shown. */
  hidden?: boolean
  /** Called for Ctrl-C while nothing is shown: the terminal doesn't do it then. */
  interrupt?: () => void
}

const ENTER = /[\r\n]/
const CTRL_C = '\x03'
const CTRL_D = '\x04'
const CTRL_U = '\x15'
/** What arrow keys and the like send, and what a terminal puts around pasted text. */
const ESCAPE_SEQUENCE = /\x1b(?:\[[0-9;?]*[A-Za-z~]|O[A-Z])/g

/**
 * Asks for one line at a terminal. While it is hidden, the terminal shows nothing of what is typed; it is put back in
 * every case.
 *
 * @throws InterruptedError when the signal is aborted, as by Ctrl-C
 * @throws RegctlError of kind `usage` when the input ends before the line does
 */
export async function prompt(question: string, options: PromptOptions): Promise<string> {
  const { input, output, signal, hidden = false } = options
  if (signal.aborted) throw new InterruptedError()
  output.write(question)
  if (hidden) input.setRawMode(true)
  try {
    return await readLine(options)
  } finally {
    if (hidden) {
      input.setRawMode(false)
      output.write('\n')
    }
  }
}

function readLine({ input, signal, hidden, interrupt }: PromptOptions): Promise<string> {
  const decoder = new StringDecoder('utf8')
  let line = ''
  return new Promise<string>((resolve, reject) => {
    const end = (finish: () => void) => {
      input.off('data', onData)
      input.off('end', onEnd)
      signal.removeEventListener('abort', onAbort)
      // What is handed back below would be lost in a stream that flows.
      input.pause()
      finish()
    }
    const onAbort = () => end(() => reject(new InterruptedError()))
    const onEnd = () => end(() => reject(inputEnded()))
    const onData = (chunk: Buffer) => {
      const text = decoder.write(chunk).replace(ESCAPE_SEQUENCE, '')
      for (const [position, character] of [...text].entries()) {
        if (ENTER.test(character)) {
          const rest = [...text].slice(position + 1).join('')
          end(() => resolve(line))
          if (rest !== '') input.unshift(Buffer.from(rest))
          return
        }
        if (hidden && character === CTRL_C) interrupt?.()
        else if (hidden && character === CTRL_D && line === '') return onEnd()
        else line = edited(line, character)
      }
    }
    input.on('data', onData)
    input.on('end', onEnd)
    signal.addEventListener('abort', onAbort, { once: true })
    input.resume()
  })
}

function edited(line: string, character: string): string {
  if (character === CTRL_U) return ''
  if (character === '\x7f' || character === '\b') return [...line].slice(0, -1).join('')
  return character < ' ' ? line : line + character
}

function inputEnded(): RegctlError {
  return new RegctlError('the input ended before there was an answer', { kind: 'usage', code: 'no-answer' })
}
