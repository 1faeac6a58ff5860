import { describe, expect, it } from 'vitest'
import { nameOfReferrer } from './referrer-kind.js'

const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json'

describe('a referrer', () => {
  it.each([
    [BUNDLE, ['https://sigstore.dev/cosign/sign/v1'], [], 'cosign signature'],
    [BUNDLE, ['https://slsa.dev/provenance/v1'], [], 'SLSA provenance'],
    [BUNDLE, ['https://example.org/custom'], [], 'sigstore bundle'],
    [undefined, [], ['application/vnd.dev.cosign.simplesigning.v1+json'], 'cosign signature'],
    ['application/vnd.cncf.notary.signature', [], [], 'notation signature'],
    ['application/spdx+json', [], [], 'SPDX SBOM'],
    ['text/spdx', [], [], 'SPDX SBOM'],
    ['application/vnd.cyclonedx+json', [], [], 'CycloneDX SBOM'],
    ['application/vnd.in-toto+json', [], [], 'in-toto attestation'],
    [
      undefined,
      ['https://slsa.dev/provenance/v0.2', 'https://spdx.dev/Document'],
      [],
      'SLSA provenance, SPDX SBOM',
    ],
    ['application/x.own', [], ['application/json'], 'application/x.own'],
    [undefined, [], [], 'artifact'],
  ])('of type %s with %j and %j is called so', (artifactType, predicateTypes, layerTypes, name) => {
    expect(nameOfReferrer({ artifactType, predicateTypes, layerTypes })).toBe(name)
  })
})
