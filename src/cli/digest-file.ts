import { Readable } from 'node:stream'
import { writeOutput } from '../index.js'

/**
 * Writes the file of `--digest-file`, one digest a line, whole or not at all.
 *
 * @throws RegctlError when the path is a folder, or the disk is full
 */
export async function writeDigestFile(
  path: string,
  digests: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  await writeOutput(path, async () => Readable.from(digests.map(digest => `${digest}\n`)), signal)
}
