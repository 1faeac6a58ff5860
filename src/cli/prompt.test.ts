import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { prompt } from './prompt.js'

/** A terminal whose modes and output are remembered. */
function terminal() {
  const modes: boolean[] = []
  const written: string[] = []
  const stream = new PassThrough()
  const input = Object.assign(stream, {
    setRawMode: (isRaw: boolean) => {
      modes.push(isRaw)
      return input
    },
  }) as unknown as Parameters<typeof prompt>[1]['input']
  const controller = new AbortController()
  const output = { write: (text: string) => written.push(text) }
  const ask = (options: { hidden?: boolean; interrupt?: () => void } = {}) =>
    prompt('? ', { input, output, signal: controller.signal, ...options })
  return { stream, ask, modes, written, controller }
}

describe('a question', () => {
  test('is answered by one line, and what comes after it is for the next', async () => {
    const { stream, ask, modes } = terminal()
    stream.write('ada\nsecret\r')
    expect(await ask()).toBe('ada')
    expect(modes).toEqual([])
    expect(await ask({ hidden: true })).toBe('secret')
    expect(modes).toEqual([true, false])
  })

  test.each([
    ['a backspace', 'abc\x7fd\r', 'abd'],
    ['a backspace after a character of several bytes', 'aé\x7fb\r', 'ab'],
    ['Ctrl-U', 'wrong\x15right\r', 'right'],
    ['arrow keys', 'a\x1b[Db\x1bOC\r', 'ab'],
    ['pasted text with its brackets', '\x1b[200~pasted\x1b[201~\r', 'pasted'],
    ['control characters', 'a\x01\x1ab\r', 'ab'],
  ])('that is hidden understands %s', async (_what, typed, answer) => {
    const { stream, ask, written } = terminal()
    stream.write(typed)
    expect(await ask({ hidden: true })).toBe(answer)
    expect(written).toEqual(['? ', '\n'])
  })

  test('that is hidden takes characters that come in parts', async () => {
    const { stream, ask } = terminal()
    const answer = ask({ hidden: true })
    for (const byte of Buffer.from('pä€ss\r')) stream.write(Buffer.of(byte))
    expect(await answer).toBe('pä€ss')
  })

  test('that is hidden ends with Ctrl-C as any other, and puts the terminal back', async () => {
    const { stream, ask, modes, controller } = terminal()
    const answer = ask({ hidden: true, interrupt: () => controller.abort() })
    stream.write('sec\x03ret\r')
    await expect(answer).rejects.toMatchObject({ kind: 'interrupted' })
    expect(modes).toEqual([true, false])
  })

  test.each([[false], [true]])('has no answer where the input ends (hidden: %s)', async hidden => {
    const { stream, ask, modes } = terminal()
    const answer = ask({ hidden })
    stream.end()
    await expect(answer).rejects.toMatchObject({ kind: 'usage', code: 'no-answer' })
    expect(modes).toEqual(hidden ? [true, false] : [])
  })
})
