import { writeSync } from 'node:fs'

/** Writes a line to standard output without a stream, which takes longer to make than a short command to do its work. */
export function printLine(line: string): void {
  const text = `${line}\n`
  try {
    writeSync(1, text)
  } catch {
    // A pipe that is full for now, or has no reader any more: streams know what to do.
    process.stdout.write(text)
  }
}
