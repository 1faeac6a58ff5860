import { Args, Flags } from '@oclif/core'
import { createContext, diagnose, diagnosisTarget, parseReference, parseRegistry } from '../../index.js'
import { BaseCommand, commonFlags, registryFlags } from '../base-command.js'
import { diagnosisDocument, diagnosisLines } from '../doctor-screen.js'
import { EXIT_CODES } from '../exit-codes.js'

export default class Doctor extends BaseCommand {
  static override summary = 'Find out why a push or pull fails'

  static override description =
    'Looks at one registry: its name, port, certificate, login and, with a repository, what is allowed there. ' +
    'An upload is begun and cancelled for that; nothing else is written. The exit code is that of the first problem.'

  static override examples = [
    '<%= config.bin %> <%= command.id %> localhost:5000',
    '<%= config.bin %> <%= command.id %> localhost:5000/app:1.0 --push',
  ]

  static override args = {
    registry: Args.string({ description: 'registry or image, as HOST[:PORT][/REPO[:TAG]]', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...registryFlags,
    push: Flags.boolean({ description: 'Count it as a problem when the repository may not be pushed to' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Doctor)
    const name = args.registry.replace(/\/$/, '')
    const target = name.replace(/^docker:\/\//, '').includes('/')
      ? diagnosisTarget(parseReference(name))
      : { registry: parseRegistry(name) }
    const context = createContext({ signal: this.interruption.signal, emit: event => this.warnAbout(event) })
    const options = { ...(await this.clientOptions(flags)), mustPush: flags.push }
    const diagnosis = await diagnose(target, options, context)
    if (flags.json) this.printJson(diagnosisDocument(target, diagnosis))
    else process.stdout.write(diagnosisLines(diagnosis))
    const { problem } = diagnosis
    if (problem !== undefined) process.exitCode = EXIT_CODES[problem.kind ?? 'failed']
  }
}
