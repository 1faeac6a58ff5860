import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { RawClient } from '../conformance/raw-client.js'
import { serve } from '../e2e/serve-process.js'
import { writeDockerArchive } from '../support/archive-builder.js'
import { Cleanup } from '../support/cleanup.js'
import { cleanEnvironment, regctlWith } from '../support/run.js'
import { type SlowProxy, startSlowProxy } from '../support/slow-proxy.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { atTerminal } from '../support/terminal.js'
import { missingTool } from '../support/tools.js'

const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))
const CTRL_C = '\x03'
/** At this rate no layer comes to its end while a test is waiting. */
const CRAWL = 20_000

const stack = new Cleanup()
let root: string
let archive: string
let direct: string
let slow: SlowProxy

beforeAll(async () => {
  root = stack.use(await temporaryFolder()).path
  archive = join(root, 'image.tar')
  await writeDockerArchive(archive, [{ layers: [{ seed: 1, size: 900_000 }], repoTags: ['acme/app:1'] }])
  direct = stack.use(await serve(root, '--quiet')).host
  slow = stack.use(await startSlowProxy(direct, CRAWL))
  expect((await regctlWith({}, 'push', archive, `${direct}/from:1`)).code).toBe(0)
})
afterAll(() => stack[Symbol.asyncDispose]())

/** Folders of a user that nothing else writes to. */
async function newUser(): Promise<{ home: string; work: string; temporary: string }> {
  const home = stack.use(await temporaryFolder()).path
  const [work, temporary] = [join(home, 'work'), join(home, 'tmp')]
  for (const folder of [work, temporary]) await mkdir(folder)
  return { home, work, temporary }
}

const noTerminal = missingTool('script')
if (noTerminal !== undefined) process.stderr.write(`nothing is interrupted at a terminal: ${noTerminal}\n`)

describe.skipIf(noTerminal !== undefined)('Ctrl-C at a terminal', () => {
  it.each([
    ['push', 'Pushing', (_work: string) => `push ${archive} ${slow.host}/to:1`],
    ['pull', 'Downloading', (work: string) => `pull ${slow.host}/from:1 ${work}/out.tar`],
    [
      'pull to a folder',
      'Downloading',
      (work: string) => `pull ${slow.host}/from:1 ${work}/out --format dir`,
    ],
    ['copy', '[', (_work: string) => `copy ${slow.host}/from:1 ${direct}/copied:1`],
    ['export', undefined, (work: string) => `export ${slow.host}/from:1 -o ${work}/out.tar`],
  ])('ends a %s by 130, restores the terminal and leaves nothing behind', async (_name, shown, command) => {
    const { home, work, temporary } = await newUser()
    const env = { ...cleanEnvironment(home), TMPDIR: temporary, TERM: 'xterm' }
    const steps = shown === undefined ? [] : [{ shown, type: CTRL_C }]
    const ended =
      shown === undefined ? interruptLater(command(work), env) : atTerminal(command(work), steps, env)
    const { code, shown: screen } = await ended
    expect(`${code} ${screen}`).toMatch(/^130 /)
    expect(screen).toMatch(/interrupted/)
    expect(screen.lastIndexOf('\x1b[?25h')).toBeGreaterThanOrEqual(screen.lastIndexOf('\x1b[?25l'))
    expect(screen.trimEnd()).toMatch(/(?<!-)echo$/)
    expect(await readdir(temporary)).toEqual([])
    expect(await readdir(work)).toEqual([])
    const tags = await regctlWith({}, 'tags', `${direct}/to`)
    expect(tags.stdout).toBe('')
  })
})

/** A command that shows nothing while it works. */
async function interruptLater(parameters: string, env: Record<string, string>) {
  const child = spawn('sh', ['-c', `exec "${process.execPath}" "${START_FILE}" ${parameters}`], {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let shown = ''
  child.stderr.on('data', chunk => {
    shown += chunk
  })
  const ended = once(child, 'close')
  await sleep(1000)
  child.kill('SIGINT')
  const [code] = await ended
  return { code, shown: `${shown}\necho` }
}

describe('a signal', () => {
  it.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s cancels a push, which leaves no temporary file',
    async signal => {
      const { home, temporary } = await newUser()
      const env = { ...cleanEnvironment(home), TMPDIR: temporary }
      const child = spawn(process.execPath, [START_FILE, 'push', archive, `${slow.host}/to:1`], {
        env,
        stdio: ['ignore', 'pipe', 'pipe'],
      })
      const ended = once(child, 'close')
      let stderr = ''
      child.stderr.on('data', chunk => {
        stderr += chunk
      })
      await once(child.stdout, 'data')
      await sleep(300)
      child.kill(signal)
      expect(await ended).toEqual([130, null])
      expect(stderr).toMatch(/^error: interrupted\nhint: Run the same command again/m)
      expect(await readdir(temporary)).toEqual([])
    },
  )

  it('leaves no temporary file either when it is the second one', async () => {
    const { home, temporary } = await newUser()
    const env = { ...cleanEnvironment(home), TMPDIR: temporary }
    const child = spawn(process.execPath, [START_FILE, 'push', archive, `${slow.host}/to:1`], {
      env,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const ended = once(child, 'close')
    await once(child.stdout, 'data')
    await sleep(300)
    child.kill('SIGINT')
    child.kill('SIGINT')
    expect(await ended).toEqual([130, null])
    expect(await readdir(temporary)).toEqual([])
  })

  it('lets a registry finish the request that it is at, and take no other', async () => {
    const { home } = await newUser()
    const registry = await serve(home, '--quiet', '--data', join(home, 'data'))
    const location = await new RawClient(`http://${registry.host}`).startUpload('acme/app')
    const half = Buffer.alloc(75_000, 'x')
    const headers = { 'Content-Length': 2 * half.length }
    const patch = request(`http://${registry.host}${location}`, { method: 'PATCH', headers, agent: false })
    const answered = once(patch, 'response')
    patch.write(half)
    const uploads = join(home, 'data/_uploads')
    const received = async () => (await stat(join(uploads, (await readdir(uploads))[0] ?? ''))).size
    while ((await received()) === 0) await sleep(20)
    const ended = once(registry.process, 'exit')
    registry.process.kill('SIGTERM')
    await sleep(200)
    await expect(fetch(`http://${registry.host}/v2/`)).rejects.toThrow()
    patch.end(half)
    const [{ statusCode }] = await answered
    expect(statusCode).toBe(202)
    expect(await ended).toEqual([0, null])
    await using next = await serve(home, '--quiet', '--data', join(home, 'data'))
    const status = await new RawClient(`http://${next.host}`).send('GET', location)
    expect(status.headers.range).toBe('0-149999')
  })
})

describe('a reader that has gone', () => {
  const piped = async (command: string) => {
    const { home } = await newUser()
    const script = `"${process.execPath}" "${START_FILE}" ${command} | true; echo "\${PIPESTATUS[0]}"`
    const child = spawn('bash', ['-c', script], {
      env: cleanEnvironment(home),
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let stdout = ''
    child.stdout.on('data', chunk => {
      stdout += chunk
    })
    await once(child, 'close')
    return stdout.trim()
  }

  it.each([
    ['tags', () => `tags ${direct}/from 2>&1`, '0'],
    ['push', () => `push ${archive} ${direct}/piped:1 --progress json 2>&1`, '0'],
    ['verify', () => `verify ${direct}/from:1 --full --progress plain 2>&1`, '0'],
    ['a failing inspect', () => `inspect ${direct}/from:none 2>&1`, '3'],
  ])('changes nothing of how %s ends', async (_name, command, code) => {
    expect(await piped(command())).toBe(code)
  })
})
