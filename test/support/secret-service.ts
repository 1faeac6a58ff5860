import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Cleanup } from './cleanup.js'
import { cleanEnvironment, run } from './run.js'
import { type Service, startService } from './service.js'
import { temporaryFolder } from './temporary-folder.js'
import { missingTool } from './tools.js'

/** A Secret Service of our own: gnome-keyring on a private D-Bus, for a user of its own. Disposing ends both. */
export interface SecretService extends AsyncDisposable {
  /** The user's folder. */
  readonly home: string
  /** The environment of programs that shall use it. */
  readonly env: Readonly<Record<string, string>>
  /** Starts it anew, and locked. Whoever wants something of it then has to answer a prompt, which nobody does. */
  lock(): Promise<void>
  /** Whether a prompt was shown. */
  wasPrompted(): boolean
}

/** How to set it up. */
export interface SecretServiceOptions {
  /** What becomes of prompts: they fail, as without a display, or stand without end. Default: `fails`. */
  prompts?: 'fails' | 'stands'
}

/** Why tests that need a Secret Service can't run; undefined when they can. */
export function missingSecretService(): string | undefined {
  return missingTool('dbus-daemon', 'gnome-keyring-daemon', 'secret-tool')
}

/**
 * Starts a Secret Service, unlocked and empty.
 *
 * @throws Error when it can't start: ask {@link missingSecretService} before
 */
export async function startSecretService(options: SecretServiceOptions = {}): Promise<SecretService> {
  const stack = new Cleanup()
  try {
    const folder = stack.use(await temporaryFolder())
    const inside = (name: string) => join(folder.path, name)
    const home = inside('home')
    const runtime = join(home, '.run')
    const env = {
      ...cleanEnvironment(home),
      XDG_RUNTIME_DIR: runtime,
      DBUS_SESSION_BUS_ADDRESS: `unix:path=${inside('bus')}`,
    }
    await mkdir(runtime, { recursive: true, mode: 0o700 })
    await mkdir(inside('services'))
    if (options.prompts === 'stands') await writePrompter(folder.path)
    await writeFile(inside('bus.conf'), busConfiguration(folder.path))
    const bus = ['--config-file', inside('bus.conf'), '--nofork', '--print-address']
    stack.use(await startService('dbus-daemon', bus, env, service => service.stdout() !== ''))
    await writeFile(inside('password'), 'a password')
    let keyring = await startKeyring(`exec ${KEYRING} --unlock <'${inside('password')}'`, env)
    stack.defer(async () => keyring[Symbol.asyncDispose]())
    return {
      home,
      env,
      wasPrompted: () => existsSync(inside('prompted')),
      async lock() {
        await keyring[Symbol.asyncDispose]()
        keyring = await startKeyring(`exec ${KEYRING} --start`, env)
      },
      [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
    }
  } catch (error) {
    await stack[Symbol.asyncDispose]()
    throw error
  }
}

/** Nothing is started by this bus but what is in our own folder. */
function busConfiguration(folder: string): string {
  return `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <pidfile>${folder}/pid</pidfile>
  <listen>unix:path=${folder}/bus</listen>
  <servicedir>${folder}/services</servicedir>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`
}

/** What the keyring has the bus start for a prompt. Ours shows nothing, and ends with the bus. */
async function writePrompter(folder: string): Promise<void> {
  const script = `touch '${folder}/prompted'; while kill -0 "$(cat '${folder}/pid')"; do sleep 0.1; done 2>/dev/null`
  await writeFile(join(folder, 'prompter'), script)
  await writeFile(
    join(folder, 'services/prompter.service'),
    `[D-BUS Service]\nName=org.gnome.keyring.SystemPrompter\nExec=/bin/sh ${folder}/prompter\n`,
  )
}

const KEYRING = 'gnome-keyring-daemon --foreground --components=secrets'

async function startKeyring(command: string, env: Record<string, string>): Promise<Service> {
  return await startService('/bin/sh', ['-c', command], env, async () => {
    // It says nothing about what it finds, and complains while nobody is there to ask.
    const { stderr } = await run('secret-tool', ['search', 'service', 'none'], { env })
    return stderr === ''
  })
}
