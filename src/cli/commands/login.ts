import { Args, Flags } from '@oclif/core'
import {
  createContext,
  type LoginResult,
  login,
  openStore,
  parseLoginRegistry,
  printable,
} from '../../index.js'
import { askLogin } from '../ask-login.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'

export default class Login extends BaseCommand {
  static override hiddenAliases = ['auth:login', 'registry:login']

  static override summary = 'Log in to a registry'

  static override description =
    'The registry is asked first whether it accepts the login. Only then it is kept: in the keychain of the system, or ' +
    "with --store file in plain text in Docker's config.json. Without --username or --password-stdin it asks at the " +
    'terminal. The user name <token> stands for an identity token.'

  static override examples = [
    'echo "$REGISTRY_PASSWORD" | <%= config.bin %> <%= command.id %> localhost:5000 --username ada --password-stdin',
    'echo "$REGISTRY_PASSWORD" | <%= config.bin %> <%= command.id %> localhost:5000 -u ada --password-stdin --store file',
  ]

  static override args = {
    registry: Args.string({ description: 'registry, as HOST[:PORT]', default: 'docker.io' }),
  }

  static override flags = {
    ...commonFlags,
    ...registryFlags,
    password: Flags.string({
      char: 'p',
      helpValue: 'PASSWORD',
      description: 'Password; others on this machine can see it: --password-stdin is safer',
      dependsOn: ['username'],
      exclusive: ['password-stdin'],
      helpGroup: 'REGISTRY',
    }),
    'identity-token-stdin': Flags.boolean({
      description: 'Read an identity token from standard input',
      exclusive: ['username', 'password', 'password-stdin'],
      helpGroup: 'REGISTRY',
    }),
    store: Flags.option({
      options: ['keychain', 'file'] as const,
      default: 'keychain' as const,
      description: "Where it is kept; file is Docker's config.json, in plain text",
    })(),
    force: Flags.boolean({ description: 'Keep it also where the registry needs no login, unchecked' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Login)
    const { registry, ignored } = parseLoginRegistry(args.registry)
    if (ignored !== undefined) this.warnUser(`a login is for all of ${registry}: "${ignored}" is left out`)
    if (flags.password !== undefined)
      this.warnUser('a password on the command line can be seen by others: --password-stdin is safer')
    const { signal } = this.interruption
    const context = createContext({ signal, emit: event => this.warnAbout(event) })
    // The flags are what is tried, not what is looked up.
    await using client = await this.openClient({ ...flags, username: undefined, 'password-stdin': false })
    const warn = (message: string) => this.warnUser(message)
    const stores = { environment: process.env, openKeychain: this.openKeychain, warn }
    const result = await login(registry, context, {
      client,
      credentials: this.createCredentials(),
      openStore: () => openStore(flags.store, stores),
      ask: known => askLogin(flags, { registry, known, signal }),
      force: flags.force,
    })
    if (flags.json) this.printJson(result)
    else process.stdout.write(printableLines(resultLines(result)))
    if (result.state === 'not-needed') return
    if (flags.store === 'file') this.warnUser(`the login is in plain text in ${result.store}`)
    if (result.shadowedBy !== undefined)
      this.warnUser(`regctl goes on using the login from ${result.shadowedBy}, which is looked up first`)
  }
}

function resultLines(result: LoginResult): string[] {
  const { registry } = result
  if (result.state === 'not-needed') return [`${registry} needs no login, and nothing was stored`]
  const { username, kind, store, isChecked } = result
  const what = kind === 'password' ? 'password' : 'identity token'
  const whose = username === undefined ? '' : ` of ${username}`
  const outcome = isChecked ? 'Login Succeeded' : `${registry} needs no login: this one was not checked`
  return [outcome, `The ${what}${whose} for ${registry} is in ${store}`]
}

function printableLines(lines: readonly string[]): string {
  return lines.map(line => `${printable(line)}\n`).join('')
}
