import { Args, Flags } from '@oclif/core'
import { type ImportedEntry, importLogins, printable } from '../../../index.js'
import { describeEntry } from '../../auth-words.js'
import { BaseCommand, commonFlags } from '../../base-command.js'

export default class AuthImport extends BaseCommand {
  static override strict = false

  static override summary = 'Take logins that are in plain text into the keychain'

  static override description =
    'Without a file it takes what `docker login` and `podman login` have left. With --remove an entry is deleted from ' +
    'its file once it is in the keychain. Those tools find it there by the helper docker-credential-regctl.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> --dry-run',
    '<%= config.bin %> <%= command.id %> --remove',
  ]

  static override args = {
    file: Args.string({ description: 'config.json or auth.json; one or several' }),
  }

  static override flags = {
    ...commonFlags,
    remove: Flags.boolean({ description: 'Delete from the file what is in the keychain then' }),
    'dry-run': Flags.boolean({ description: 'Say what would be imported, and change nothing' }),
  }

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(AuthImport)
    const dryRun = flags['dry-run'] === true
    const results = await importLogins({
      files: argv as string[],
      environment: process.env,
      openKeychain: this.openKeychain,
      remove: flags.remove,
      dryRun,
      warn: message => this.warnUser(message),
    })
    if (flags.json) this.printJson({ dryRun, results })
    else if (results.length === 0) process.stdout.write('Nothing to import\n')
    else
      process.stdout.write(results.map(result => `${printable(describeResult(result, dryRun))}\n`).join(''))
  }
}

function describeResult(result: ImportedEntry, dryRun: boolean): string {
  const { registry, file, state, removed, reason } = result
  const what = `${registry} (${describeEntry(result)}), in ${file}`
  const why = reason === undefined ? '' : `: ${reason}`
  if (state === 'left') return `Left: ${what}${why}`
  const verb = state === 'already-there' ? 'Is in the keychain' : dryRun ? 'Would import' : 'Imported'
  const gone = removed ? `, and ${dryRun ? 'would remove' : 'removed'} it there` : why
  return `${verb}: ${what}${gone}`
}
