import { Flags } from '@oclif/core'
import {
  type Context,
  createContext,
  type Locator,
  type OpenedSource,
  openSource,
  type Platform,
  parseLocator,
  type RegistryClient,
} from '../index.js'
import { BaseCommand, commonFlags, type RegistryFlags, registryFlags } from './base-command.js'
import { fileFlags, platformFlag } from './image-flags.js'

/** Flags of the commands that look at one image, wherever it is. */
export const lookupFlags = {
  ...commonFlags,
  ...fileFlags,
  ...registryFlags,
  platform: platformFlag({ description: "Take this platform's image of an index" }),
  'check-tag': Flags.boolean({
    description: 'Refuse a NAME:TAG@DIGEST whose tag has moved since, instead of a warning',
  }),
}

/** What the flags of {@link lookupFlags} come to. */
export interface LookupFlags extends RegistryFlags {
  image?: string | undefined
  platform?: Platform | undefined
  'check-tag'?: boolean | undefined
}

/** An image that was opened, with the client that reads it. Disposing closes both. */
export interface LookedUp extends OpenedSource {
  client: RegistryClient
}

/** A command that looks at one image. */
export abstract class LookupCommand extends BaseCommand {
  /** Ends with Ctrl-C, and shows warnings on standard error. */
  protected createContext(): Context {
    return createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
  }

  /** Prints bytes as they are. At a terminal the prompt that follows gets a line of its own. */
  protected printBytes(bytes: Uint8Array): void {
    process.stdout.write(bytes)
    if (process.stdout.isTTY === true && bytes.at(-1) !== 10) process.stdout.write('\n')
  }

  /**
   * Opens the image that a locator names. The caller disposes it.
   *
   * @param defaultPlatform what is taken of an index when the flags don't say; the index itself when not given
   * @throws RegctlError when it is not there or is no image
   */
  protected async openImage(
    named: string | Locator,
    flags: LookupFlags,
    context: Context,
    defaultPlatform?: 'host',
  ): Promise<LookedUp> {
    const locator = typeof named === 'string' ? await parseLocator(named, 'registry') : named
    const client = await this.openClient(flags)
    try {
      const opened = await openSource(locator, context, {
        client,
        get stdin() {
          return process.stdin
        },
        image: flags.image,
        platform: flags.platform ?? defaultPlatform,
        checkTag: flags['check-tag'],
      })
      const dispose = async () => {
        await opened[Symbol.asyncDispose]()
        await client[Symbol.asyncDispose]()
      }
      return { ...opened, client, [Symbol.asyncDispose]: dispose }
    } catch (error) {
      await client[Symbol.asyncDispose]()
      throw error
    }
  }
}
