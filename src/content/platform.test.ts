import { describe, expect, it } from 'vitest'
import type { Descriptor, Platform } from './descriptor.js'
import { digestOf } from './digest.js'
import { MediaType } from './media-types.js'
import {
  formatPlatform,
  matchesPlatform,
  normalizePlatform,
  parsePlatform,
  selectPlatform,
} from './platform.js'

describe('parsePlatform', () => {
  it.each([
    ['linux/arm64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64'],
    ['linux/amd64/v1', 'linux/amd64'],
    ['linux/amd64/v3', 'linux/amd64/v3'],
    ['linux/arm', 'linux/arm/v7'],
    ['linux/arm/6', 'linux/arm/v6'],
    ['linux/x86_64', 'linux/amd64'],
    ['linux/x86-64', 'linux/amd64'],
    ['linux/aarch64', 'linux/arm64'],
    ['linux/i386', 'linux/386'],
    ['linux/armhf', 'linux/arm/v7'],
    ['linux/armel', 'linux/arm/v6'],
    ['macOS/ARM64', 'darwin/arm64'],
    ['Linux/S390X', 'linux/s390x'],
    ['amd64', 'linux/amd64'],
    ['linux/constructor', 'linux/constructor'],
  ])('normalises %s to %s (R179)', (text, normal) => {
    expect(formatPlatform(parsePlatform(text))).toBe(normal)
  })

  it('reads the version of Windows', () => {
    expect(parsePlatform('windows(10.0.20348)/amd64')).toEqual({
      os: 'windows',
      architecture: 'amd64',
      'os.version': '10.0.20348',
    })
  })

  it.each(['', 'linux/', '/amd64', 'a/b/c/d', 'linux/am d64', 'linux/\x1b[1m'])('refuses %j', text => {
    expect(() => parsePlatform(text)).toThrow(/is not a platform/)
  })

  it('keeps version and features when it normalises', () => {
    const platform = {
      os: 'windows',
      architecture: 'amd64',
      'os.version': '10.0.1.2',
      'os.features': ['win32k'],
    }
    expect(normalizePlatform(platform)).toEqual(platform)
  })
})

describe('selectPlatform', () => {
  it('takes the first of entries that fit equally (R176)', () => {
    expect(choose('linux/amd64', ['linux/arm64', 'linux/amd64', 'linux/amd64'])).toBe(1)
  })

  it('passes over entries that name no platform (R176)', () => {
    expect(choose('linux/amd64', [undefined, 'linux/amd64'])).toBe(1)
    expect(choose('linux/amd64', [undefined])).toBeUndefined()
  })

  it('never chooses an attestation, whatever is asked for (R176)', () => {
    const attestation = {
      ...entry({ os: 'unknown', architecture: 'unknown' }, 0),
      annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
    }
    expect(selectPlatform([attestation], { os: 'unknown', architecture: 'unknown' })).toBeUndefined()
  })

  it('finds entries that are written in another way (R179)', () => {
    expect(choose('linux/arm64', ['linux/arm64/v8'])).toBe(0)
    expect(choose('linux/arm/v7', ['linux/arm'])).toBe(0)
  })

  it('takes the highest variant that is not above the wanted one (R180)', () => {
    expect(choose('linux/arm/v7', ['linux/arm/v5', 'linux/arm/v6', 'linux/arm/v8'])).toBe(1)
    expect(choose('linux/arm/v6', ['linux/arm/v7', 'linux/arm/v5'])).toBe(1)
    expect(choose('linux/arm64/v9', ['linux/arm64', 'linux/arm64/v8.1'])).toBe(1)
    expect(choose('linux/amd64/v3', ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v4'])).toBe(1)
    expect(choose('linux/amd64', ['linux/amd64/v2'])).toBeUndefined()
  })

  it('does not take a smaller architecture for a larger one (R180)', () => {
    expect(choose('linux/arm64', ['linux/arm/v7'])).toBeUndefined()
    expect(choose('linux/amd64', ['linux/386'])).toBeUndefined()
  })

  it('does not take another system', () => {
    expect(choose('linux/amd64', ['windows/amd64'])).toBeUndefined()
  })

  it('takes the newest revision of the build of Windows that is wanted (R181)', () => {
    const offers = ['10.0.17763.5', '10.0.20348.9', '10.0.20348.11'].map(windows)
    expect(chooseOf(windows('10.0.20348.1'), offers)).toBe(2)
    expect(chooseOf(windows('10.0.26100'), offers)).toBeUndefined()
  })

  it('takes any version when none is asked for (R181)', () => {
    const wanted = { os: 'windows', architecture: 'amd64' }
    expect(chooseOf(wanted, [windows('10.0.17763.5')])).toBe(0)
  })

  it('wants every feature that is asked for (R181)', () => {
    const wanted = { os: 'windows', architecture: 'amd64', 'os.features': ['win32k'] }
    const bare = { os: 'windows', architecture: 'amd64' }
    expect(chooseOf(wanted, [bare, { ...bare, 'os.features': ['other', 'win32k'] }])).toBe(1)
  })
})

describe('matchesPlatform', () => {
  it('compares what a config says with what is wanted (R182)', () => {
    const config = { os: 'linux', architecture: 'arm64', variant: 'v8' }
    expect(matchesPlatform(config, parsePlatform('linux/arm64'))).toBe(true)
    expect(matchesPlatform(config, parsePlatform('linux/amd64'))).toBe(false)
  })
})

function windows(version: string): Platform {
  return { os: 'windows', architecture: 'amd64', 'os.version': version }
}

function entry(platform: Platform | undefined, position: number): Descriptor {
  const digest = digestOf(Buffer.from([position]))
  return { mediaType: MediaType.ociManifest, digest, size: 1, ...(platform !== undefined && { platform }) }
}

/** The position of the chosen one. Offers are not normalised. */
function chooseOf(wanted: Platform, offers: readonly (Platform | undefined)[]): number | undefined {
  const descriptors = offers.map(entry)
  const chosen = selectPlatform(descriptors, wanted)
  return chosen === undefined ? undefined : descriptors.indexOf(chosen)
}

function choose(wanted: string, offers: readonly (string | undefined)[]): number | undefined {
  const platforms = offers.map(offer => {
    const [os = '', architecture = '', variant] = offer?.split('/') ?? []
    return offer === undefined ? undefined : { os, architecture, ...(variant !== undefined && { variant }) }
  })
  return chooseOf(parsePlatform(wanted), platforms)
}
