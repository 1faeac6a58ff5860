import { Args, Flags } from '@oclif/core'
import { openBlobOf, parseLocator, RegctlError, refuseTerminal, writeOutput } from '../../index.js'
import { commonFlags, registryFlags } from '../base-command.js'
import { parseDigestOption } from '../image-flags.js'
import { LookupCommand } from '../lookup-command.js'

export default class Blob extends LookupCommand {
  static override hiddenAliases = ['blob:get']

  static override summary = 'Write one blob: a config or a layer'

  static override description =
    'The bytes are checked against the digest, which follows the repository or file after an @ or as an argument of its own. Nothing is left of a FILE that could not be written whole.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app@sha256:57d96e55b2b431e21b38a337dce6343f460cd0af1ed02501be8cc370b7dbd006 config.json',
    '<%= config.bin %> <%= command.id %> oci:layout sha256:57d96e55b2b431e21b38a337dce6343f460cd0af1ed02501be8cc370b7dbd006',
  ]

  static override args = {
    locator: Args.string({ description: 'repository, file or folder, with @DIGEST', required: true }),
    digest: Args.string({ description: 'digest of the blob, unless it was given with @', required: false }),
    file: Args.string({ description: 'file to write (default: standard output)', required: false }),
  }

  static override flags = {
    ...commonFlags,
    ...registryFlags,
    output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'File to write' }),
    head: Flags.boolean({ description: 'Print its size in bytes, and read nothing' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Blob)
    const { place, digest, file } = splitArguments(args.locator, args.digest, args.file)
    const output = flags.output ?? file
    const target = output === undefined || output === '-' ? process.stdout : output
    if (!flags.head) refuseTerminal(target, 'a blob', 'Name a file to write with `--output`')
    if (flags.json && target === process.stdout && !flags.head) {
      throw new RegctlError('the blob and --json cannot both go to standard output', {
        kind: 'usage',
        code: 'output-is-stdout',
        hint: 'Name a file to write with `--output`, or ask for `--head`',
      })
    }
    const context = this.createContext()
    await using client = await this.openClient(flags)
    const locator = await parseLocator(place, 'registry')
    await using blob = await openBlobOf(locator, parseDigestOption(digest, 'DIGEST'), context, {
      client,
      stdin: process.stdin,
    })
    const { size } = blob
    if (!flags.head) await writeOutput(target, () => blob.open(), context.signal)
    if (flags.json) this.printJson({ digest, size, ...(!flags.head && { file: output }) })
    else if (flags.head) process.stdout.write(`${size}\n`)
  }
}

/** `PLACE@DIGEST [FILE]`, as crane has it, or `PLACE DIGEST [FILE]`, as regclient has it. */
function splitArguments(
  first: string,
  second: string | undefined,
  third: string | undefined,
): { place: string; digest: string; file: string | undefined } {
  const at = /^(.+)@(sha(?:256|512):[^@/]*)$/s.exec(first)
  if (at?.[1] !== undefined && at[2] !== undefined && third === undefined)
    return { place: at[1], digest: at[2], file: second }
  if (second !== undefined && /^sha(?:256|512):/.test(second))
    return { place: first, digest: second, file: third }
  throw new RegctlError('the digest of the blob is missing', {
    kind: 'usage',
    code: 'no-digest',
    hint: 'Write it after the repository or file, as in localhost:5000/app@sha256:…',
  })
}
