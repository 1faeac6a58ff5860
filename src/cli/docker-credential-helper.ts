import { openKeychain, serveHelper } from '../index.js'

/**
 * Runs the keychain as a Docker credential helper: one request, then the end. Sets the process's exit code.
 *
 * @param parameters without the node and the script
 */
export async function runCredentialHelper(
  parameters: string[],
  release: { packageName: string; version: string },
): Promise<void> {
  const { output, exitCode } = await serveHelper(parameters, {
    name: 'docker-credential-regctl',
    ...release,
    input: process.stdin,
    openStore: () => openKeychain(),
  })
  process.stdout.write(output)
  process.exitCode = exitCode
}
