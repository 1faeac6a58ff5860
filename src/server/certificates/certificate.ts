import { createHash, createPublicKey, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto'
import {
  bitString,
  booleanTrue,
  contextConstructed,
  contextPrimitive,
  integer,
  namedBits,
  objectIdentifier,
  octetString,
  sequence,
  setOf,
  time,
  utf8String,
} from './der.js'
import type { ServerName } from './server-names.js'

const OID = {
  ecdsaWithSha256: '1.2.840.10045.4.3.2',
  commonName: '2.5.4.3',
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extendedKeyUsage: '2.5.29.37',
  serverAuth: '1.3.6.1.5.5.7.3.1',
} as const

/** The numbers of the uses in RFC 5280, Key Usage. */
const DIGITAL_SIGNATURE = 0
const KEY_CERT_SIGN = 5
const CRL_SIGN = 6
/** RFC 5280 lets a common name have so many characters (ub-common-name). */
const COMMON_NAME_LIMIT = 64

/** From when to when a certificate is valid, to the second. */
export interface Validity {
  from: Date
  until: Date
}

/** Who signs: a certificate authority's common name and its private key, ECDSA on P-256. */
export interface Issuer {
  name: string
  key: KeyObject
}

/**
 * Makes the certificate of a certificate authority, signed by itself, which may sign servers' certificates but no
 * other authority's (RFC 5280, Basic Constraints: a path length of 0).
 */
export function makeAuthorityCertificate(issuer: Issuer, validity: Validity): X509Certificate {
  const publicKey = createPublicKey(issuer.key)
  return makeCertificate(issuer, issuer.name, publicKey, validity, [
    extension(OID.basicConstraints, sequence(booleanTrue(), integer(Uint8Array.of(0))), 'critical'),
    extension(OID.keyUsage, namedBits(KEY_CERT_SIGN, CRL_SIGN), 'critical'),
    extension(OID.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
  ])
}

/**
 * Makes the certificate of a server.
 *
 * @param publicKey the server's, ECDSA on P-256
 * @param names how clients may call it; the first is the subject's common name too
 */
export function makeServerCertificate(
  issuer: Issuer,
  publicKey: KeyObject,
  names: readonly [ServerName, ...ServerName[]],
  validity: Validity,
): X509Certificate {
  const authority = keyIdentifier(createPublicKey(issuer.key))
  return makeCertificate(issuer, names[0].text, publicKey, validity, [
    extension(OID.basicConstraints, sequence(), 'critical'),
    extension(OID.keyUsage, namedBits(DIGITAL_SIGNATURE), 'critical'),
    extension(OID.extendedKeyUsage, sequence(objectIdentifier(OID.serverAuth))),
    extension(OID.subjectAltName, sequence(...names.map(generalName))),
    extension(OID.subjectKeyIdentifier, octetString(keyIdentifier(publicKey))),
    extension(OID.authorityKeyIdentifier, sequence(contextPrimitive(0, authority))),
  ])
}

/** RFC 5280, Basic Certificate Fields. */
function makeCertificate(
  issuer: Issuer,
  subject: string,
  publicKey: KeyObject,
  { from, until }: Validity,
  extensions: readonly Buffer[],
): X509Certificate {
  const algorithm = sequence(objectIdentifier(OID.ecdsaWithSha256))
  const content = sequence(
    contextConstructed(0, integer(Uint8Array.of(2))),
    integer(serialNumber()),
    algorithm,
    distinguishedName(issuer.name),
    sequence(time(from), time(until)),
    distinguishedName(subject),
    publicKey.export({ type: 'spki', format: 'der' }),
    contextConstructed(3, sequence(...extensions)),
  )
  return new X509Certificate(sequence(content, algorithm, bitString(sign('sha256', content, issuer.key))))
}

/** Random, so that two certificates of one authority never share it; 127 bits, as a positive number needs. */
function serialNumber(): Buffer {
  const bytes = randomBytes(16)
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes
}

function distinguishedName(commonName: string): Buffer {
  const text = [...commonName].slice(0, COMMON_NAME_LIMIT).join('')
  return sequence(setOf(sequence(objectIdentifier(OID.commonName), utf8String(text))))
}

function extension(oid: string, value: Buffer, criticality?: 'critical'): Buffer {
  const critical = criticality === undefined ? [] : [booleanTrue()]
  return sequence(objectIdentifier(oid), ...critical, octetString(value))
}

/** RFC 5280, Subject Alternative Name: dNSName is [2], iPAddress is [7]. */
function generalName(name: ServerName): Buffer {
  return name.kind === 'dns'
    ? contextPrimitive(2, Buffer.from(name.text, 'ascii'))
    : contextPrimitive(7, name.bytes)
}

/** A key's identifier: the first 160 bits of the hash of its bits (RFC 7093, section 2, method 1). */
function keyIdentifier(publicKey: KeyObject): Buffer {
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const point = [Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]
  return createHash('sha256').update(Buffer.concat(point)).digest().subarray(0, 20)
}
