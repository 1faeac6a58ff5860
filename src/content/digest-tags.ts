import { algorithmOf, type Digest, hexOf, parseDigest } from './digest.js'

/** What cosign puts after the digest: a signature, attestations, an SBOM. */
const SUFFIXES = ['sig', 'att', 'sbom'] as const

/**
 * The tags by which cosign, before the OCI's referrers, keeps what it says of a manifest in the same repository
 * (rule R193): `sha256-<hex>.sig` and the like. Most of them are not there for most manifests.
 */
export function digestTags(subject: Digest): string[] {
  return SUFFIXES.map(suffix => `${algorithmOf(subject)}-${hexOf(subject)}.${suffix}`)
}

/** The digest that a tag of cosign's is about; undefined for another tag. */
export function subjectOfDigestTag(tag: string): Digest | undefined {
  const match = /^(sha256)-([0-9a-f]{64})\.(?:sig|att|sbom)$/.exec(tag)
  return match === null ? undefined : parseDigest(`${match[1]}:${match[2]}`)
}
