import { createPrivateKey, generateKeyPairSync, type KeyObject, X509Certificate } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { messageOf, RegctlError, systemCodeOf } from '../../errors.js'
import { type Issuer, makeAuthorityCertificate } from './certificate.js'
import { createFile, replaceFile } from './private-files.js'
import { isRunningOut, validFor } from './validity.js'

/** A folder of certificates can't be used. */
export class CertificateFolderError extends RegctlError {}

const AUTHORITY_DAYS = 3650
const KEY_MODE = 0o600
const CERTIFICATE_MODE = 0o644

/** A certificate authority of this machine. */
export interface Authority {
  certificate: X509Certificate
  /** Where its certificate is, in PEM: what clients are given to trust. */
  file: string
  issuer: Issuer
}

/**
 * Reads the certificate authority of a folder, and makes it when there is none. It stays the same, so that it has to
 * be trusted once; only its certificate is made anew when it runs out.
 *
 * There is no lock: the key is what counts, it gets its name only if nobody else gave theirs, and a certificate that is
 * made twice for one key is as good as the other.
 *
 * @throws CertificateFolderError `unsafe-key`, `bad-key`
 */
export async function openAuthority(folder: string, now: Date): Promise<Authority> {
  const key = await openKey(join(folder, 'ca-key.pem'))
  const file = join(folder, 'ca.pem')
  const known = await readCertificate(file)
  const isUsable = known?.checkPrivateKey(key) === true && !isRunningOut(known, now)
  if (known !== undefined && isUsable) {
    return { certificate: known, file, issuer: { name: commonNameOf(known), key } }
  }
  const issuer = { name: `regctl on ${hostname().replace(/[^\w.-]/g, '-')}`, key }
  const made = makeAuthorityCertificate(issuer, validFor(AUTHORITY_DAYS, now))
  const write = known === undefined ? createFile : replaceFile
  await write(file, made.toString(), CERTIFICATE_MODE)
  const certificate = (await readCertificate(file)) ?? made
  return { certificate, file, issuer: { name: commonNameOf(certificate), key } }
}

async function openKey(path: string): Promise<KeyObject> {
  const text = (await readIfThere(path)) ?? (await makeKey(path))
  await refuseUnlessPrivate(path)
  try {
    return createPrivateKey(text)
  } catch (cause) {
    throw new CertificateFolderError(`can't read the key ${path}: ${messageOf(cause)}`, {
      kind: 'corrupt',
      code: 'bad-key',
      hint: 'Remove the folder to start anew; its certificate then has to be trusted again',
      cause,
    })
  }
}

async function makeKey(path: string): Promise<string> {
  await createFile(path, newKey(), KEY_MODE)
  return await readFile(path, 'utf8')
}

/** A new private key, ECDSA on P-256, as PKCS#8 in PEM. */
export function newKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

/** Whoever has the key can pretend to be any server to those who trust it. */
async function refuseUnlessPrivate(path: string): Promise<void> {
  const { mode } = await stat(path)
  if (process.platform === 'win32' || (mode & 0o077) === 0) return
  throw new CertificateFolderError(`others may read the key ${path}`, {
    kind: 'denied',
    code: 'unsafe-key',
    hint: `Run "chmod 600 ${path}", or remove the folder when somebody may have read it`,
  })
}

/** A certificate in PEM; undefined when the file is not there or holds none. */
export async function readCertificate(path: string): Promise<X509Certificate | undefined> {
  const text = await readIfThere(path)
  try {
    return text === undefined ? undefined : new X509Certificate(text)
  } catch {
    return undefined
  }
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined
    throw error
  }
}

/** The common name of a certificate that was made here, which has nothing else in its subject. */
function commonNameOf(certificate: X509Certificate): string {
  return certificate.subject.replace(/^CN=/, '')
}
