import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join, resolve } from 'node:path'
import { createSecureContext } from 'node:tls'
import { Flags } from '@oclif/core'
import { messageOf, RegctlError } from '../index.js'
import { openSelfSignedTls } from '../server/certificates/self-signed.js'
import { serverNames } from '../server/certificates/server-names.js'

/** The flags of `serve` that say how it speaks HTTPS. */
export const serveTlsFlags = {
  tls: Flags.option({
    options: ['self-signed'] as const,
    description: 'Speak HTTPS with a certificate of its own making, and say how to trust it',
    helpGroup: 'TLS',
    exclusive: ['tls-cert'],
  })(),
  'tls-name': Flags.string({
    multiple: true,
    multipleNonGreedy: true,
    helpValue: 'NAME',
    description: 'A name or address by which clients call it, besides localhost and those of this machine',
    helpGroup: 'TLS',
    dependsOn: ['tls'],
  }),
  'tls-dir': Flags.string({
    helpValue: 'FOLDER',
    description: 'Where certificate and keys are kept [default: tls in the folder for data of regctl]',
    helpGroup: 'TLS',
    dependsOn: ['tls'],
  }),
  'tls-cert': Flags.string({
    helpValue: 'FILE',
    description: 'Certificate in PEM',
    helpGroup: 'TLS',
    dependsOn: ['tls-key'],
  }),
  'tls-key': Flags.string({
    helpValue: 'FILE',
    description: 'Its key in PEM',
    helpGroup: 'TLS',
    dependsOn: ['tls-cert'],
  }),
}

interface ServeTlsFlags {
  tls?: 'self-signed' | undefined
  'tls-name'?: string[] | undefined
  'tls-dir'?: string | undefined
  'tls-cert'?: string | undefined
  'tls-key'?: string | undefined
}

/** Certificate and key of a server. The file is that of the authority which was made here, if one was. */
export interface ServeTls {
  cert: string | Buffer
  key: string | Buffer
  authorityFile?: string
}

/**
 * What the flags of {@link serveTlsFlags} come to; undefined for plain HTTP.
 *
 * @param listenHost the host of `--address`
 */
export async function openServeTls(flags: ServeTlsFlags, listenHost: string): Promise<ServeTls | undefined> {
  if (flags.tls === 'self-signed') {
    const folder = resolve(flags['tls-dir'] ?? defaultFolder(process.env))
    return await openSelfSignedTls(folder, serverNames(listenHost, flags['tls-name']))
  }
  const { 'tls-cert': cert, 'tls-key': key } = flags
  if (cert === undefined || key === undefined) return undefined
  const tls = { cert: await readFile(cert), key: await readFile(key) }
  try {
    createSecureContext(tls)
  } catch (cause) {
    throw new RegctlError(`can't use the certificate ${cert} with the key ${key}: ${messageOf(cause)}`, {
      kind: 'usage',
      code: 'bad-certificate',
      cause,
    })
  }
  return tls
}

/** XDG Base Directory Specification: a path that is not absolute is passed over. */
function defaultFolder({ XDG_DATA_HOME }: NodeJS.ProcessEnv): string {
  const isGiven = XDG_DATA_HOME !== undefined && isAbsolute(XDG_DATA_HOME)
  return join(isGiven ? XDG_DATA_HOME : join(homedir(), '.local', 'share'), 'regctl', 'tls')
}

/**
 * How to make clients trust a server's certificate.
 *
 * @param listening where it listens, as `HOST:PORT`
 */
export function trustText(listening: string, authorityFile: string): string {
  // Nobody calls a server by the address that stands for all of them.
  const address = listening.replace(/^(?:0\.0\.0\.0|\[::\]):/, 'localhost:')
  const file = shellWord(authorityFile)
  const folder = `/etc/docker/certs.d/${address}`
  return `The certificate is signed by ${authorityFile}. To trust it:
  regctl   add --ca-file ${file}
  Docker   sudo install -D -m 644 ${file} '${folder}/ca.crt'
  Debian   sudo install -m 644 ${file} /usr/local/share/ca-certificates/regctl.crt && sudo update-ca-certificates
  check    openssl s_client -connect '${address}' -CAfile ${file} </dev/null
`
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
