import { Args, Flags } from '@oclif/core'
import {
  type LogoutResult,
  logout,
  logoutAll,
  openStores,
  parseLoginRegistry,
  printable,
  RegctlError,
} from '../../index.js'
import { describeEntry } from '../auth-words.js'
import { BaseCommand, commonFlags } from '../base-command.js'

export default class Logout extends BaseCommand {
  static override hiddenAliases = ['auth:logout', 'registry:logout']

  static override summary = 'Log out of a registry'

  static override description =
    "The login is removed from the keychain and from Docker's config.json. Where regctl would find another one, " +
    'such as that of podman or of a credential helper, it says so and leaves it.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000',
    '<%= config.bin %> <%= command.id %> --all --store file',
  ]

  static override args = {
    registry: Args.string({ description: 'registry, as HOST[:PORT]; docker.io when not given' }),
  }

  static override flags = {
    ...commonFlags,
    all: Flags.boolean({ description: 'Log out of every registry' }),
    store: Flags.option({
      options: ['keychain', 'file'] as const,
      description: "Remove it only there; file is Docker's config.json",
    })(),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Logout)
    if (flags.all && args.registry !== undefined) {
      throw new RegctlError('a registry and --all are two different wishes', { kind: 'usage', code: 'usage' })
    }
    const { registry } = parseLoginRegistry(args.registry ?? 'docker.io')
    const stores = await openStores(flags.store, {
      environment: process.env,
      openKeychain: this.openKeychain,
      warn: message => this.warnUser(message),
    })
    const options = { stores, credentials: this.createCredentials() }
    const results = flags.all ? await logoutAll(options) : [await logout(registry, options)]
    if (flags.json) this.printJson({ results })
    else
      process.stdout.write(results.length === 0 ? 'Not logged in anywhere\n' : results.map(linesOf).join(''))
    for (const { registry, remaining } of flags.json ? [] : results) {
      for (const { place, entry } of remaining) {
        this.warnUser(`still logged in to ${registry} by ${place}: ${describeEntry(entry)}`)
      }
    }
  }
}

function linesOf({ registry, removedFrom }: LogoutResult): string {
  if (removedFrom.length === 0) return `Not logged in to ${registry}\n`
  return removedFrom.map(store => `${printable(`Removed the login of ${registry} from ${store}`)}\n`).join('')
}
