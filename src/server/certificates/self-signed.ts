import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { systemCodeOf } from '../../errors.js'
import { type Authority, CertificateFolderError, newKey, openAuthority } from './authority.js'
import { makeServerCertificate } from './certificate.js'
import { replaceFile } from './private-files.js'
import type { ServerName } from './server-names.js'
import { isRunningOut, validFor } from './validity.js'

/** Apple's clients take no longer ones than 398 days, from any authority that is not their own. */
const SERVER_DAYS = 397
const KEY_MODE = 0o600

/** What a server needs to speak TLS, and its clients to trust it. */
export interface SelfSignedTls {
  /** The server's certificate in PEM, and its key. */
  cert: string
  key: string
  /** The certificate of the authority which signed it, in PEM. */
  authorityFile: string
}

/**
 * Reads a server's certificate from a folder, and makes one when there is none, when it runs out within 30 days or when
 * it lacks a name. It is signed by an authority that is kept in the same folder. Several servers may share the folder.
 *
 * @param folder made when it isn't there, for nobody but its owner
 * @param names all that clients may call the server
 * @throws CertificateFolderError `unsafe-folder`, `unsafe-key`, `bad-key`, or the system's error when the folder can't be
 *   written
 */
export async function openSelfSignedTls(
  folder: string,
  names: readonly [ServerName, ...ServerName[]],
  now = new Date(),
): Promise<SelfSignedTls> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  await refuseUnlessOurs(folder)
  const authority = await openAuthority(folder, now)
  // Certificate and key are one file, so that they are replaced as one.
  const path = join(folder, 'server.pem')
  const known = await readServer(path)
  const isUsable = known !== undefined && isGood(known, authority, names, now)
  const { certificate, key } = isUsable ? known : await makeServer(path, authority, names, now)
  return { cert: certificate.toString(), key, authorityFile: authority.file }
}

interface ServerPair {
  certificate: X509Certificate
  key: string
}

async function makeServer(
  path: string,
  { issuer, certificate: { validTo } }: Authority,
  names: readonly [ServerName, ...ServerName[]],
  now: Date,
): Promise<ServerPair> {
  const key = newKey()
  const { from, until } = validFor(SERVER_DAYS, now)
  const end = new Date(Math.min(until.getTime(), Date.parse(validTo)))
  const publicKey = createPublicKey(key)
  const certificate = makeServerCertificate(issuer, publicKey, names, { from, until: end })
  await replaceFile(path, `${certificate}${key}`, KEY_MODE)
  return { certificate, key }
}

/** What the file holds; undefined when it isn't there, or is none of ours, and may as well be made anew. */
async function readServer(path: string): Promise<ServerPair | undefined> {
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
  try {
    const certificate = new X509Certificate(text)
    const key = createPrivateKey(text)
    const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString()
    return certificate.checkPrivateKey(key) ? { certificate, key: pem } : undefined
  } catch {
    return undefined
  }
}

function isGood(
  { certificate }: ServerPair,
  authority: Authority,
  names: readonly ServerName[],
  now: Date,
): boolean {
  const isOfAuthority =
    certificate.checkIssued(authority.certificate) && certificate.verify(authority.certificate.publicKey)
  if (!isOfAuthority || isRunningOut(certificate, now)) return false
  const present = (certificate.subjectAltName ?? '').split(', ')
  return names.every(name =>
    name.kind === 'ip' ? certificate.checkIP(name.text) !== undefined : present.includes(`DNS:${name.text}`),
  )
}

/** Who may write to the folder may put another authority there, which is then trusted in good faith. */
async function refuseUnlessOurs(folder: string): Promise<void> {
  const { mode } = await stat(folder)
  if (process.platform === 'win32' || (mode & 0o022) === 0) return
  throw new CertificateFolderError(`others may write to the certificates' folder ${folder}`, {
    kind: 'denied',
    code: 'unsafe-folder',
    hint: `Run "chmod 700 ${folder}", or name another folder with --tls-dir`,
  })
}
