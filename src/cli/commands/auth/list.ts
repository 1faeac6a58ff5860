import { listAuthEntries, printable } from '../../../index.js'
import { kindOf } from '../../auth-words.js'
import { BaseCommand, commonFlags } from '../../base-command.js'
import { formatTable } from '../../table.js'

export default class AuthList extends BaseCommand {
  static override hiddenAliases = ['auth:ls']

  static override summary = 'List the logins that there are'

  static override description =
    'Every place where logins are looked up is listed in the order of the look-up, and no secret is shown. A login ' +
    'that is shadowed is not used, since a place before it has one for the same registry. Helpers are not asked.'

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --json',
  ]

  static override flags = commonFlags

  async run(): Promise<void> {
    const { flags } = await this.parse(AuthList)
    const { entries, failures } = await listAuthEntries(this.createCredentials())
    if (flags.json) {
      this.printJson({ entries, failures })
      return
    }
    for (const { reason } of failures) this.warnUser(reason)
    const rows = entries.map(entry => [
      entry.registry,
      entry.username ?? '-',
      entry.helper ?? kindOf(entry),
      entry.state,
      entry.place,
    ])
    const head = ['REGISTRY', 'USER', 'KIND', 'STATE', 'PLACE']
    if (rows.length === 0) process.stdout.write('No logins\n')
    else process.stdout.write(formatTable([head, ...rows.map(row => row.map(printable))]))
  }
}
