import { tolerateClosedOutputs } from './closed-outputs.js'
import { findNamedCommand, runNamedCommand, userAgentOf } from './named-command.js'
import { printLine } from './print-line.js'
import type { ProgramParts } from './program-parts.js'

/**
 * Runs the command line and sets the process's exit code.
 *
 * @param parameters without the node and the script
 */
export async function main(parameters: string[], parts: ProgramParts): Promise<void> {
  // With nothing left to wait for, Node would end a run that is not done as if it were.
  const standStill = () => void fail(new Error('there is nothing left to wait for, and it is not done'))
  process.once('beforeExit', standStill)
  const outputs = tolerateClosedOutputs()
  try {
    const named = findNamedCommand(parameters, parts)
    if (parameters[0] === '--version') {
      printLine(userAgentOf(parts.pjson))
    } else if (named === undefined) {
      const { runByOclif } = await import('./program-plugin.js')
      await runByOclif(parameters, parts)
    } else {
      await runNamedCommand(named, parts)
    }
  } catch (error) {
    const exit = (error as { oclif?: { exit?: number } }).oclif?.exit
    // Help and version end the run by an error that is none.
    if (exit === 0) return
    await fail(error)
  } finally {
    process.off('beforeExit', standStill)
    // All is done and said. What is in memory need not be taken down piece by piece, nor be cleared of garbage first.
    const exit = () => process.exit()
    if (outputs.areUsed) process.once('beforeExit', exit)
    else exit()
  }

  async function fail(error: unknown): Promise<void> {
    process.exitCode = 1
    // With it comes the library, which help and version do without.
    const { printError } = await import('./report-error.js')
    process.exitCode = printError(error, { debug: parameters.includes('--debug') })
  }
}
