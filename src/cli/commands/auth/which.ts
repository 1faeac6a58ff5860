import { Args } from '@oclif/core'
import { explainAuth, type PlaceOutcome, printable } from '../../../index.js'
import { describeEntry } from '../../auth-words.js'
import { BaseCommand, commonFlags } from '../../base-command.js'

export default class AuthWhich extends BaseCommand {
  static override summary = 'Show which login a registry gets, and why'

  static override description =
    'Every place where logins are looked up is asked in its order, and no secret is shown. The registry is not asked.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0',
    '<%= config.bin %> <%= command.id %> localhost:5000 --json',
  ]

  static override args = {
    subject: Args.string({ description: 'image, or registry as HOST[:PORT]', required: true }),
  }

  static override flags = commonFlags

  async run(): Promise<void> {
    const { args, flags } = await this.parse(AuthWhich)
    const explanation = await explainAuth(args.subject, this.createCredentials())
    if (flags.json) {
      this.printJson(explanation)
      return
    }
    const { registry, repository, places } = explanation
    const name = repository === undefined ? registry : `${registry}/${repository}`
    const width = Math.max(...places.map(({ place }) => place.length))
    const lines = places.map(outcome => `  ${outcome.place.padEnd(width)}  ${describeOutcome(outcome)}`)
    const text = [`${name}: ${summary(places)}`, ...lines].map(line => `${printable(line)}\n`)
    process.stdout.write(text.join(''))
  }
}

function summary(places: readonly PlaceOutcome[]): string {
  const used = places.find(({ state }) => state === 'used')
  if (used?.entry !== undefined) return `${describeEntry(used.entry)}, from ${used.place}`
  const isBroken = places.some(({ state }) => state === 'not-asked')
  return isBroken ? 'the look-up fails' : 'no login, so that it is asked without one'
}

function describeOutcome({ state, entry, reason }: PlaceOutcome): string {
  const what = entry === undefined ? '' : `: ${describeEntry(entry)}, entry ${entry.key}`
  if (state === 'absent') return reason ?? 'not there'
  if (state === 'failed') return `failed: ${reason}`
  return `${state.replace('-', ' ')}${what}`
}
