import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What somebody types once the terminal shows something. */
export interface TypedStep {
  /** Is waited for, after what was waited for before. */
  shown: string
  type: string
}

/** How a command at a terminal ended. */
export interface TerminalResult {
  code: number | null
  /** All that the terminal has shown, typed text included where it was echoed. */
  shown: string
}

const LIMIT_MS = 60_000
const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/**
 * Runs this checkout's `regctl` at a terminal of its own (`script` of util-linux), and types into it.
 *
 * @param parameters as a shell reads them
 * @throws Error when something that is waited for is not shown within a minute
 */
export async function atTerminal(
  parameters: string,
  steps: readonly TypedStep[],
  env: Readonly<Record<string, string>>,
): Promise<TerminalResult> {
  // What the shell says in the end tells whether the terminal is as it was before.
  const command = `trap : INT; "${process.execPath}" "${START_FILE}" ${parameters}; code=$?; stty -a | grep -o -- '-\\?\\becho\\b'; exit $code`
  const child = spawn('script', ['-qec', command, '/dev/null'], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  let shown = ''
  child.stdout.on('data', chunk => {
    shown += chunk
  })
  child.stdin.on('error', () => {})
  const ended = once(child, 'close')
  const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS)
  try {
    let from = 0
    for (const step of steps) {
      while (!shown.includes(step.shown, from)) {
        if (child.exitCode !== null || child.signalCode !== null)
          throw new Error(`"${step.shown}" was never shown: ${shown}`)
        await new Promise(resolve => setTimeout(resolve, 20))
      }
      from = shown.indexOf(step.shown, from) + step.shown.length
      child.stdin.write(step.type)
    }
    const [code] = (await ended) as [number | null]
    return { code, shown }
  } finally {
    clearTimeout(timer)
    child.kill('SIGKILL')
  }
}
