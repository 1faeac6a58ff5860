import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'

/** A program that runs beside a test. Disposing ends it. */
export interface Service extends AsyncDisposable {
  readonly process: ChildProcess
  /** Everything that it wrote so far. */
  stdout(): string
  stderr(): string
}

/**
 * Starts a program and waits until it is ready.
 *
 * @param isReady asked again and again until it says so
 * @throws Error when it ends before, or isn't ready after half a minute; the message has what it wrote
 */
export async function startService(
  command: string,
  parameters: readonly string[],
  env: Record<string, string>,
  isReady: (service: Service) => boolean | Promise<boolean>,
): Promise<Service> {
  const child = spawn(command, parameters, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const stdout: Buffer[] = []
  const stderr: Buffer[] = []
  child.stdout.on('data', chunk => stdout.push(chunk))
  child.stderr.on('data', chunk => stderr.push(chunk))
  let startError: Error | undefined
  child.once('error', error => {
    startError = error
  })
  // Whatever happens to the test: nothing that it started outlives its process.
  const killAtExit = () => child.kill('SIGKILL')
  process.once('exit', killAtExit)
  const service: Service = {
    process: child,
    stdout: () => `${Buffer.concat(stdout)}`,
    stderr: () => `${Buffer.concat(stderr)}`,
    async [Symbol.asyncDispose]() {
      process.removeListener('exit', killAtExit)
      await endProcess(child)
    },
  }

  const endOfPatience = Date.now() + 30_000
  while (!(await isReady(service))) {
    const ended = child.exitCode !== null || child.signalCode !== null || startError !== undefined
    if (ended || Date.now() > endOfPatience) {
      await service[Symbol.asyncDispose]()
      const why = startError?.message ?? (ended ? 'it ended' : 'it took too long')
      throw new Error(`${command} did not start: ${why}\n${service.stderr()}`)
    }
    await new Promise(resolve => setTimeout(resolve, 20))
  }
  return service
}

/** Asks a process to end, and kills it when it doesn't. */
async function endProcess(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  const timer = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await ended
  clearTimeout(timer)
}
