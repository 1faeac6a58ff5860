import { fileURLToPath } from 'node:url'
import { cleanEnvironment } from '../support/run.js'
import { type Service, startService } from '../support/service.js'

const START_FILE = fileURLToPath(new URL('../../bin/run.js', import.meta.url))

/**
 * Starts `regctl serve` on a free port. Disposing ends it as a user does.
 *
 * @param home an existing folder, for everything that is kept for a user
 * @returns with `host`, as it begins a reference
 */
export async function serve(home: string, ...parameters: string[]): Promise<Service & { host: string }> {
  const service = await startService(
    process.execPath,
    [START_FILE, 'serve', '--address', '127.0.0.1:0', ...parameters],
    cleanEnvironment(home),
    ({ stdout }) => /[\d}]\n$/.test(stdout()),
  )
  return Object.assign(service, { host: /127\.0\.0\.1:\d+/.exec(service.stdout())?.[0] ?? '' })
}
