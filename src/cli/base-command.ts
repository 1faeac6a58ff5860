import { Command, Flags } from '@oclif/core'
import {
  type CopyEvent,
  type CredentialChain,
  type CredentialStore,
  cacheFolder,
  createCredentialLookup,
  createTrust,
  openKeychain,
  printable,
  proxiesFrom,
  RegistryClient,
  Routes,
  readDockerSettings,
  readRegistriesConf,
} from '../index.js'
import { readPassword } from './ask-login.js'
import { durationFlag } from './duration.js'
import { EXIT_CODES } from './exit-codes.js'
import { Interruption } from './interruption.js'
import { Notices } from './progress/notice.js'
import { describeError, printError } from './report-error.js'

/** Flags of every command. */
export const commonFlags = {
  debug: Flags.boolean({
    description: 'Show requests and, on errors, stacks; never secrets',
    helpGroup: 'GLOBAL',
  }),
  json: Flags.boolean({ description: 'Print one JSON document on standard output', helpGroup: 'GLOBAL' }),
}

/** Flags of the commands that talk to a registry. */
export const registryFlags = {
  'insecure-registry': Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'HOST[:PORT]|CIDR',
    description: 'Speak to this registry without a proper certificate, or over plain HTTP',
    helpGroup: 'REGISTRY',
  }),
  'ca-file': Flags.string({
    helpValue: 'FILE',
    description: 'Trust the authorities in this PEM file too',
    helpGroup: 'REGISTRY',
  }),
  'cert-file': Flags.string({
    helpValue: 'FILE',
    description: 'Show the registry this client certificate (PEM)',
    dependsOn: ['key-file'],
    helpGroup: 'REGISTRY',
  }),
  'key-file': Flags.string({
    helpValue: 'FILE',
    description: 'The key of the client certificate (PEM)',
    dependsOn: ['cert-file'],
    helpGroup: 'REGISTRY',
  }),
  'allow-internal-redirects': Flags.boolean({
    description: 'Follow the registry to a private address on another host, such as its own object store',
    helpGroup: 'REGISTRY',
  }),
  'stall-timeout': durationFlag({
    description:
      'Close a connection on which nothing moves for so long, and go on over another; 0: never (default: 60s)',
    helpGroup: 'REGISTRY',
  }),
  username: Flags.string({ char: 'u', helpValue: 'NAME', description: 'User name', helpGroup: 'REGISTRY' }),
  'password-stdin': Flags.boolean({
    description: 'Read the password from standard input',
    dependsOn: ['username'],
    helpGroup: 'REGISTRY',
  }),
}

/** Flags of the commands that move images. */
export const progressFlags = {
  progress: Flags.option({
    options: ['auto', 'tty', 'plain', 'json', 'none'] as const,
    default: 'auto' as const,
    description: 'How progress is shown; json writes one event per line on standard error',
    helpGroup: 'OUTPUT',
  })(),
  quiet: Flags.boolean({ char: 'q', description: 'Print only the digest reference', helpGroup: 'OUTPUT' }),
}

/** What the flags of {@link registryFlags} come to. */
export interface RegistryFlags {
  'insecure-registry'?: string[] | undefined
  'ca-file'?: string | undefined
  'cert-file'?: string | undefined
  'key-file'?: string | undefined
  'allow-internal-redirects'?: boolean | undefined
  /** In milliseconds. */
  'stall-timeout'?: number | undefined
  /** In bytes. */
  'chunk-size'?: number | undefined
  username?: string | undefined
  'password-stdin'?: boolean | undefined
  debug?: boolean | undefined
}

/** What every command has: errors in two lines, exit codes, interruption, a client that is closed in the end. */
export abstract class BaseCommand extends Command {
  protected readonly interruption = new Interruption()

  readonly #notices = new Notices()
  /** What the command does when it is run again after it was stopped. Ends a sentence. */
  protected readonly whenRepeated: string = 'it starts from the beginning'

  #keychain: Promise<CredentialStore> | undefined

  /** {@link whenRepeated}, once the user has stopped it; see `describeError`. */
  protected get interrupted(): string | false {
    return this.interruption.signal.aborted && this.whenRepeated
  }

  /** Opens the keychain, once. */
  protected readonly openKeychain = (): Promise<CredentialStore> => {
    this.#keychain ??= openKeychain()
    return this.#keychain
  }

  /** The places where logins are looked up, after those of the flags. Most registries never ask for one. */
  protected createCredentials(flags?: { username: string; password: string }): CredentialChain {
    let made: CredentialChain | undefined
    const chain = () => {
      made ??= createCredentialLookup({
        flags,
        environment: process.env,
        openKeychain: this.openKeychain,
        warn: message => this.warnUser(message),
      })
      return made
    }
    return {
      find: async (...asked) => await chain().find(...asked),
      explain: async (...asked) => await chain().explain(...asked),
      list: async () => await chain().list(),
    }
  }

  /** A client with the credentials and settings of the flags. The caller disposes it. */
  protected async openClient(flags: RegistryFlags): Promise<RegistryClient> {
    return new RegistryClient(await this.clientOptions(flags))
  }

  /** What the flags, the environment and settings files say of how registries are reached. */
  protected async clientOptions(flags: RegistryFlags) {
    const { username } = flags
    // Whoever gives a user name at a terminal is asked for the password.
    const hasPassword =
      username !== undefined && (flags['password-stdin'] === true || process.stdin.isTTY === true)
    const password = hasPassword ? await readPassword(this.interruption.signal) : ''
    const places = { environment: process.env }
    const settings = await readDockerSettings(places, message => this.warnUser(message))
    return {
      credentials: this.createCredentials(username === undefined ? undefined : { username, password }),
      insecureRegistries: [...(flags['insecure-registry'] ?? []), ...settings.insecureRegistries],
      allowInternalRedirects: flags['allow-internal-redirects'] ?? false,
      ...(flags['stall-timeout'] !== undefined && { stallTimeoutMs: flags['stall-timeout'] }),
      ...(flags['chunk-size'] !== undefined && { chunkBytes: flags['chunk-size'] }),
      stateFolder: cacheFolder(places),
      routes: new Routes(await readRegistriesConf(places), settings.hubMirrors),
      proxyFor: proxiesFrom(process.env),
      trust: createTrust({
        ...places,
        caFile: flags['ca-file'],
        certFile: flags['cert-file'],
        keyFile: flags['key-file'],
        warn: message => this.warnUser(message),
      }),
      userAgent: `regctl/${this.config.version}`,
      ...(flags.debug === true && {
        log: (line: string) => process.stderr.write(`debug: ${printable(line)}\n`),
      }),
    }
  }

  /** One line on standard error. */
  protected warnUser(message: string): void {
    process.stderr.write(`warning: ${printable(message)}\n`)
  }

  /** Shows the events that concern people in whatever way progress is shown. */
  protected warnAbout(event: CopyEvent): void {
    const line = this.#notices.lineFor(event)
    if (line !== undefined) process.stderr.write(line)
  }

  /** Prints one JSON document. */
  protected printJson(document: unknown): void {
    process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`)
  }

  /**
   * Ends a command that did several things of which some failed: the exit code is that of the first failure.
   *
   * @param errors undefined for what went well. With `--json` they are in the document already, and not shown again
   */
  protected reportErrors(errors: readonly unknown[], flags: { debug: boolean; json: boolean }): void {
    const { interrupted } = this
    for (const error of new Set(errors)) {
      if (error === undefined) continue
      process.exitCode ??= EXIT_CODES[describeError(error, interrupted).kind]
      if (!flags.json) printError(error, { debug: flags.debug, interrupted })
    }
  }

  protected override async catch(error: unknown): Promise<void> {
    const { interrupted } = this
    if ((error as { oclif?: { exit?: number } }).oclif?.exit === 0) throw error
    if (this.argv.includes('--json')) this.printJson({ error: describeError(error, interrupted) })
    process.exitCode = printError(error, { debug: this.argv.includes('--debug'), interrupted })
  }
}
