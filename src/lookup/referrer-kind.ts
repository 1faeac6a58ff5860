/** What the types of artifacts and of predicates are called by people. */
const NAMES: readonly (readonly [RegExp, string])[] = [
  [/^application\/vnd\.dev\.cosign\.simplesigning\./, 'cosign signature'],
  [/^https:\/\/sigstore\.dev\/cosign\/sign\//, 'cosign signature'],
  [/^application\/vnd\.cncf\.notary\.signature$/, 'notation signature'],
  [/^https:\/\/slsa\.dev\/provenance\//, 'SLSA provenance'],
  [/^https:\/\/slsa\.dev\/verification_summary\//, 'SLSA verification summary'],
  [/^https:\/\/(?:www\.)?spdx\.(?:dev|org)\//, 'SPDX SBOM'],
  [/^(?:application|text)\/spdx\b/, 'SPDX SBOM'],
  [/^application\/vnd\.spdx\b/, 'SPDX SBOM'],
  [/^https:\/\/cyclonedx\.org\//, 'CycloneDX SBOM'],
  [/^application\/vnd\.cyclonedx\b/, 'CycloneDX SBOM'],
  [/^application\/vnd\.syft\b/, 'Syft SBOM'],
  [/^https:\/\/(?:cosign\.sigstore|in-toto|openvex)\.dev\/.*vex/i, 'VEX statement'],
  [/^https:\/\/(?:www\.)?openvex\.dev\//, 'VEX statement'],
  [/^https:\/\/cosign\.sigstore\.dev\/attestation\/vuln\//, 'vulnerability scan'],
  [/^application\/sarif\+json$/, 'SARIF report'],
  [/^application\/vnd\.dev\.sigstore\.bundle\b/, 'sigstore bundle'],
  [/^application\/vnd\.in-toto\b/, 'in-toto attestation'],
  [/^application\/vnd\.dsse\.envelope\b/, 'in-toto attestation'],
  [/^application\/vnd\.docker\.attestation\.manifest\b/, 'in-toto attestation'],
]

/** The annotations in which tools say what an attestation states. */
const PREDICATE_KEYS = ['predicateType', 'in-toto.io/predicate-type', 'dev.sigstore.bundle.predicateType']

/** The predicate type that annotations name; undefined when they name none. */
export function predicateTypeOf(
  annotations: Readonly<Record<string, string>> | undefined,
): string | undefined {
  return PREDICATE_KEYS.map(key => annotations?.[key]).find(type => type !== undefined && type !== '')
}

/**
 * What a type is called: `SPDX SBOM`, `cosign signature`; undefined for one that has no name here.
 *
 * @param type an artifactType, a media type or a predicate type
 */
export function nameOfType(type: string): string | undefined {
  return NAMES.find(([pattern]) => pattern.test(type))?.[1]
}

/**
 * What a referrer is in words, from all that is known of it: what an attestation states counts before the envelope that
 * it is in. The artifactType itself where none of them is known.
 */
export function nameOfReferrer(known: {
  artifactType?: string | undefined
  predicateTypes: readonly string[]
  layerTypes: readonly string[]
}): string {
  const { artifactType, predicateTypes, layerTypes } = known
  const named = (types: readonly string[]) => [
    ...new Set(types.map(nameOfType).filter(name => name !== undefined)),
  ]
  for (const types of [predicateTypes, artifactType === undefined ? [] : [artifactType], layerTypes]) {
    const names = named(types)
    if (names.length > 0) return names.join(', ')
  }
  return predicateTypes[0] ?? artifactType ?? layerTypes[0] ?? 'artifact'
}
