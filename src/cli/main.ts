import { run } from '@oclif/core'

/**
 * Runs the command line and sets the process's exit code.
 *
 * @param parameters without the node and the script
 * @param startFile URL of the start file: oclif finds package.json from it
 */
export async function main(parameters: string[], startFile: string): Promise<void> {
  try {
    await run(parameters, startFile)
  } catch (error) {
    const exit = (error as { oclif?: { exit?: number } }).oclif?.exit
    // Help and version end the run by an error that is none.
    if (exit === 0) return
    // With it comes the library, which help and version do without.
    const { printError } = await import('./report-error.js')
    process.exitCode = printError(error, { debug: parameters.includes('--debug') })
  }
}
