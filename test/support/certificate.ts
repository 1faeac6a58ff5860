import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { run } from './run.js'
import { temporaryFolder } from './temporary-folder.js'

/**
 * Makes a certificate for loopback addresses that nobody vouches for.
 *
 * @throws Error when `openssl` isn't installed: ask `missingTool` before
 */
export async function selfSigned(): Promise<{ key: string; cert: string }> {
  await using folder = await temporaryFolder()
  const [keyFile, certFile] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
  const made = await run(
    'openssl',
    // biome-ignore format: one option and its value belong on one line
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
      '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', keyFile, '-out', certFile],
  )
  if (made.code !== 0) throw new Error(`openssl made no certificate: ${made.stderr}`)
  return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
}
