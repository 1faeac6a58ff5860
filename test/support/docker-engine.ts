import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { Cleanup } from './cleanup.js'
import { cleanEnvironment, type RunResult, run, systemEnvironment } from './run.js'
import { startService } from './service.js'
import { temporaryFolder } from './temporary-folder.js'

/** A Docker Engine of our own, which loads, pushes and pulls images but runs no containers. */
export interface DockerEngine extends AsyncDisposable {
  /** Runs the `docker` client with it, as someone who never logged in. */
  docker(...parameters: string[]): Promise<RunResult>
  /** The client's environment, for tests that run it themselves. */
  readonly env: Readonly<Record<string, string>>
  /** The process of `dockerd`. */
  readonly pid: number
}

/**
 * Starts an empty Docker Engine. Its containerd is its own too, so an engine that is installed is not touched.
 * Registries at 127.0.0.1 may be plain HTTP.
 *
 * @param storageDriver how it keeps layers: `vfs` needs nothing of the kernel, and makes a copy of all layers for each
 * @throws Error when it can't start: ask `missingDockerEngine` before
 */
export async function startDockerEngine(storageDriver: 'vfs' | 'overlay2' = 'vfs'): Promise<DockerEngine> {
  const stack = new Cleanup()
  try {
    const folder = stack.use(await temporaryFolder())
    const inside = (name: string) => join(folder.path, name)
    const socket = inside('docker.sock')
    // dockerd ends its containerd when it ends well; where it had to be killed, we do.
    stack.defer(() => endContainerd(inside('exec/containerd/containerd.pid')))
    // No network is touched.
    const network = ['--iptables=false', '--ip6tables=false', '--bridge=none']
    const places = ['--data-root', inside('data'), '--exec-root', inside('exec'), '--pidfile', inside('pid')]
    const { process } = stack.use(
      await startService(
        'dockerd',
        [...network, ...places, `--storage-driver=${storageDriver}`, '-H', `unix://${socket}`],
        systemEnvironment(),
        () => answersPing(socket),
      ),
    )
    const env = { ...cleanEnvironment(folder.path), DOCKER_HOST: `unix://${socket}` }
    return {
      env,
      pid: process.pid ?? 0,
      docker: (...given) => run('docker', given, { env }),
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    }
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

async function answersPing(socketPath: string): Promise<boolean> {
  return await new Promise(resolve => {
    const ping = request({ socketPath, path: '/_ping', timeout: 1000 }, response => {
      response.resume().once('end', () => resolve(response.statusCode === 200))
    })
    ping.once('timeout', () => ping.destroy())
    ping.once('error', () => resolve(false)).end()
  })
}

async function endContainerd(pidFile: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''))
  // The number may belong to somebody else by now.
  const name = await readFile(`/proc/${pid}/comm`, 'utf8').catch(() => '')
  if (pid > 0 && name.trim() === 'containerd') process.kill(pid, 'SIGKILL')
}
