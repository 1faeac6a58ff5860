/**
 * Speaks to the system's keychain, in a process of its own: the native library blocks the whole process while it
 * connects, and for as long as a prompt stands unanswered; a process can be ended at any moment.
 *
 * Takes one request in a line of JSON and answers it in a line of JSON, one after the other, until its input ends. The
 * first line that it writes says whether there is a keychain. Secrets travel through these pipes only.
 */
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'

/** Under which service all entries are kept; the account of each is its server. */
const SERVICE = 'regctl'
/** Without it, the library would fall back to the kernel's keyring, which forgets. */
const OPTIONS = { linux: { store: 'secret-service' } } as const

/** What the worker is asked to do. */
export type KeychainRequest =
  | { act: 'get'; account: string }
  | { act: 'erase'; account: string }
  | { act: 'store'; account: string; text: string }
  | { act: 'list' }

/** What the worker says: how it opened the keychain, or what came of a request. */
export type KeychainAnswer = { value: unknown } | { problem: string; stage: 'load' | 'open' | 'request' }

/** What the library says when the Secret Service is busy: it waits for two seconds only. */
const BUSY = /did not receive a reply/i
const PAUSE_MS = 50

function say(answer: KeychainAnswer): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

async function serve(): Promise<void> {
  // The input is read from the beginning, to see its end: whoever asked is then gone, and nobody wants the answer to a
  // prompt that may still stand.
  const requests = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  process.stdin.once('end', () => process.kill(process.pid, 'SIGKILL'))
  let stage: 'load' | 'open' = 'load'
  try {
    const library = await import('@napi-rs/keyring')
    stage = 'open'
    // On Linux this connects to the Secret Service.
    await untilAnswered(async () => new library.AsyncEntry(SERVICE, 'any', OPTIONS))
    say({ value: true })
    for await (const line of requests) say(await answer(library, line))
  } catch (error) {
    say({ problem: textOf(error), stage })
    process.stdin.destroy()
  }
}

async function answer(library: typeof import('@napi-rs/keyring'), line: string): Promise<KeychainAnswer> {
  try {
    const request = JSON.parse(line) as KeychainRequest
    return { value: await untilAnswered(() => act(library, request)) }
  } catch (error) {
    return { problem: textOf(error), stage: 'request' }
  }
}

async function act(library: typeof import('@napi-rs/keyring'), request: KeychainRequest): Promise<unknown> {
  if (request.act === 'list') return await library.findCredentialsAsync(SERVICE)
  const entry = new library.AsyncEntry(SERVICE, request.account, OPTIONS)
  if (request.act === 'get') return await entry.getPassword()
  if (request.act === 'erase') return await entry.deleteCredential()
  await entry.setPassword(request.text)
  return true
}

/** Asks again while the keychain is busy with others; how long, is for whoever ends this process to say. */
async function untilAnswered<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!BUSY.test(textOf(error))) throw error
      await sleep(PAUSE_MS * (1 + Math.random()))
    }
  }
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

await serve()
