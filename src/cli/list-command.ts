import { once } from 'node:events'
import { Flags } from '@oclif/core'
import { printable } from '../index.js'
import { BaseCommand, commonFlags, registryFlags } from './base-command.js'
import { describeError, printError } from './report-error.js'

/** Flags of the commands that list names. */
export const listFlags = {
  ...commonFlags,
  ...registryFlags,
  limit: Flags.integer({ min: 1, helpValue: 'N', description: 'List this many at most' }),
  include: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'GLOB',
    description: 'List only what this matches: *, ?, [a-z]; may be given again',
  }),
  exclude: Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'GLOB',
    description: 'Leave out what this matches; may be given again',
  }),
}

/** A command that lists names. What comes is shown at once: a list may be long, and is never kept as a whole. */
export abstract class ListCommand extends BaseCommand {
  /** A JSON document that was begun and has no end yet. */
  #isOpen = false

  /** Prints names in lines. */
  protected async printLines(names: AsyncIterable<string>): Promise<void> {
    for await (const name of names) await write(`${printable(name)}\n`)
  }

  /**
   * Prints a JSON document `{…head, [field]: names}`, as `printJson` would. Where the list breaks off, the document ends
   * with an `error`.
   */
  protected async printJsonList(head: object, field: string, names: AsyncIterable<string>): Promise<void> {
    const begin = `${JSON.stringify(head, undefined, 2).slice(0, -2)},\n  ${JSON.stringify(field)}: [`
    for await (const name of names) {
      await write(`${this.#isOpen ? ',' : begin}\n    ${JSON.stringify(name)}`)
      this.#isOpen = true
    }
    await write(this.#isOpen ? '\n  ]\n}\n' : `${begin}]\n}\n`)
    this.#isOpen = false
  }

  protected override async catch(error: unknown): Promise<void> {
    // Whoever reads has enough, as `head` has: that is no failure.
    if ((error as NodeJS.ErrnoException).code === 'EPIPE') return
    if (!this.#isOpen) return await super.catch(error)
    const { interrupted } = this
    const report = JSON.stringify(describeError(error, interrupted), undefined, 2).replaceAll('\n', '\n  ')
    process.stdout.write(`\n  ],\n  "error": ${report}\n}\n`)
    process.exitCode = printError(error, { debug: this.argv.includes('--debug'), interrupted })
  }
}

/** Waits where the reader is slow, so that nothing piles up here. */
async function write(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain')
}
