import { X509Certificate } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { delimiter, join } from 'node:path'
import { rootCertificates } from 'node:tls'
import { messageOf } from '../errors.js'
import { readIfThere, readNamed } from './config-files.js'
import { ConfigError } from './insecure-registries.js'

const PEM = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** Where Linux distributions keep what Go programs trust, in the order in which those look (rule R163). */
const SYSTEM_BUNDLES = [
  '/etc/ssl/certs/ca-certificates.crt',
  '/etc/pki/tls/certs/ca-bundle.crt',
  '/etc/ssl/ca-bundle.pem',
  '/etc/pki/tls/cacert.pem',
  '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem',
  '/etc/ssl/cert.pem',
]

/**
 * Reads the certificates of a PEM file.
 *
 * @throws ConfigError `bad-certificate` when there is none in it or one is malformed; `no-such-file`, `unreadable-file`
 */
export async function readCertificates(path: string): Promise<string[]> {
  const found = (await readNamed(path, 'certificate file')).match(PEM) ?? []
  const bad = (why: string) =>
    new ConfigError(`${path} holds no usable certificate: ${why}`, {
      kind: 'failed',
      code: 'bad-certificate',
      hint: 'It must be PEM: text that begins with -----BEGIN CERTIFICATE-----',
    })
  if (found.length === 0) throw bad('there is none in PEM in it')
  for (const text of found) {
    const why = whyMalformed(text)
    if (why !== undefined) throw bad(why)
  }
  return found
}

/**
 * The certificates that this system trusts and Node does not know by itself (rules R162, R163): of `SSL_CERT_FILE` (or
 * the distribution's bundle, on Linux), of the folders in `SSL_CERT_DIR`, and of `NODE_EXTRA_CA_CERTS`, which Node
 * forgets as soon as it is given any other. What can't be read is left out with a warning.
 *
 * @param bundles where to look for the distribution's; its usual places when not given
 */
export async function systemRoots(
  environment: NodeJS.ProcessEnv,
  warn: (message: string) => void,
  bundles: readonly string[] = process.platform === 'linux' ? SYSTEM_BUNDLES : [],
): Promise<string[]> {
  const known = new Set(rootCertificates.map(withoutSpace))
  const roots: string[] = []
  const add = (text: string): void => {
    for (const certificate of text.match(PEM) ?? []) {
      const key = withoutSpace(certificate)
      if (known.has(key) || whyMalformed(certificate) !== undefined) continue
      known.add(key)
      roots.push(certificate)
    }
  }
  const addNamed = async (variable: string): Promise<void> => {
    const path = environment[variable]
    if (path === undefined || path === '') return
    try {
      add(await readNamed(path, 'certificate file'))
    } catch (error) {
      warn(`${variable} is left out: ${messageOf(error)}`)
    }
  }
  if (environment.SSL_CERT_FILE === undefined || environment.SSL_CERT_FILE === '') add(await firstOf(bundles))
  else await addNamed('SSL_CERT_FILE')
  for (const folder of (environment.SSL_CERT_DIR ?? '').split(delimiter)) {
    if (folder !== '') add(await readFolder(folder, warn))
  }
  await addNamed('NODE_EXTRA_CA_CERTS')
  return roots
}

async function firstOf(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    // A bundle that this user can't read is as good as none: nobody named it.
    const text = await readIfThere(path).catch(() => undefined)
    if (text !== undefined) return text
  }
  return ''
}

async function readFolder(folder: string, warn: (message: string) => void): Promise<string> {
  try {
    const names = await readdir(folder)
    const texts = await Promise.all(names.map(name => readIfThere(join(folder, name)).catch(() => undefined)))
    return texts.join('\n')
  } catch (error) {
    warn(`the folder ${folder} of SSL_CERT_DIR is left out: ${messageOf(error)}`)
    return ''
  }
}

function withoutSpace(pem: string): string {
  return pem.replace(/\s/g, '')
}

function whyMalformed(pem: string): string | undefined {
  try {
    void new X509Certificate(pem)
    return undefined
  } catch {
    return 'it is malformed'
  }
}
