import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A folder that goes away with the test which made it. */
export interface TemporaryFolder extends AsyncDisposable {
  readonly path: string
}

/**
 * Makes an empty folder under the system's folder for temporary files. Disposing removes it with all that is in it.
 *
 * @example
 * await using folder = await temporaryFolder()
 * await writeFile(join(folder.path, 'image.tar'), bytes)
 */
export async function temporaryFolder(): Promise<TemporaryFolder> {
  const path = await mkdtemp(join(await realpath(tmpdir()), 'regctl-test-'))
  return {
    path,
    async [Symbol.asyncDispose]() {
      // Something that was just ended may still be writing its last file.
      await rm(path, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 })
    },
  }
}
