import { readFile, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { run } from './run.js'
import { temporaryFolder } from './temporary-folder.js'
import { cannotRun } from './tools.js'

/** Paths of a certificate and its key, in PEM. */
export interface IssuedCertificate {
  readonly certFile: string
  readonly keyFile: string
}

/** What a certificate says. */
export interface CertificateRequest {
  /** Names and addresses that it is for. */
  names: readonly string[]
  validFrom?: Date
  validTo?: Date
}

/** A certificate authority in a folder. */
export interface Authority {
  readonly caFile: string
  /** Makes a certificate, for servers and clients alike. */
  issue(request: CertificateRequest): Promise<IssuedCertificate>
}

const DAY_MS = 24 * 60 * 60 * 1000
const EC = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-batch']

/**
 * Makes a certificate authority with `openssl`; ask `missingTool` for it before.
 *
 * @param folder an existing folder, where everything of it is kept
 */
export async function makeAuthority(folder: string, name = 'Test Authority'): Promise<Authority> {
  const path = (file: string) => join(folder, file)
  const caFile = path('ca.crt')
  const keyFile = path('ca.key')
  await openssl(
    'req',
    '-x509',
    ...EC,
    '-days',
    '30',
    '-subj',
    `/CN=${name}`,
    '-keyout',
    keyFile,
    '-out',
    caFile,
  )
  await writeFile(path('index.txt'), '')
  await writeFile(path('index.txt.attr'), 'unique_subject = no\n')
  await writeFile(
    path('ca.cnf'),
    `[ca]\ndefault_ca = own\n[own]\ndatabase = ${path('index.txt')}\nnew_certs_dir = ${folder}\n` +
      `default_md = sha256\nrand_serial = yes\npolicy = any\n[any]\ncommonName = supplied\n`,
  )
  let count = 0
  return {
    caFile,
    async issue({ names, validFrom, validTo }) {
      const stem = path(`issued-${++count}`)
      const issued = { certFile: `${stem}.pem`, keyFile: `${stem}-key.pem` }
      const kind = (entry: string) => (/^[\d.]+$|:/.test(entry) ? 'IP' : 'DNS')
      await writeFile(
        `${stem}.ext`,
        `subjectAltName = ${names.map(entry => `${kind(entry)}:${entry}`).join(', ')}\n`,
      )
      const subject = `/CN=${names[0] ?? 'nobody'}`
      await openssl('req', '-new', ...EC, '-subj', subject, '-keyout', issued.keyFile, '-out', `${stem}.csr`)
      const from = validFrom ?? new Date(Date.now() - DAY_MS)
      const to = validTo ?? new Date(Date.now() + 10 * DAY_MS)
      // biome-ignore format: one option and its value belong together
      await openssl('ca', '-batch', '-notext', '-config', path('ca.cnf'), '-cert', caFile, '-keyfile', keyFile,
        '-startdate', utc(from), '-enddate', utc(to), '-extfile', `${stem}.ext`,
        '-in', `${stem}.csr`, '-out', issued.certFile)
      return issued
    },
  }
}

/**
 * Makes a certificate for loopback addresses that nobody vouches for.
 *
 * @throws Error when `openssl` isn't installed: ask `missingTool` before
 */
export async function selfSigned(): Promise<{ key: string; cert: string }> {
  await using folder = await temporaryFolder()
  const [keyFile, certFile] = [join(folder.path, 'key.pem'), join(folder.path, 'cert.pem')]
  // biome-ignore format: one option and its value belong on one line
  await openssl('req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=localhost',
    '-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', keyFile, '-out', certFile)
  return { key: await readFile(keyFile, 'utf8'), cert: await readFile(certFile, 'utf8') }
}

function utc(date: Date): string {
  return `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
}

async function openssl(...parameters: string[]): Promise<void> {
  const { code, stderr } = await run('openssl', parameters)
  if (code !== 0) throw new Error(`openssl ${parameters[0]} failed: ${stderr}`)
}

/**
 * An IPv4 address of this machine that is not loopback, where a registry is not insecure by default. Nothing that listens
 * there is reached by more than this machine's own tests: they listen on a free port, and only while they run.
 *
 * @returns undefined, with the reason printed, when there is none
 */
export function ownAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap(entries => entries ?? [])
  const found = addresses.find(({ family, internal }) => family === 'IPv4' && !internal)
  if (found === undefined) cannotRun('this machine has no address but loopback')
  return found?.address
}
