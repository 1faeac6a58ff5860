import { ContentError } from './content-error.js'
import type { Descriptor, Platform } from './descriptor.js'

/**
 * Reads a platform as people write it: `linux/arm64`, `linux/arm/v7`, or an architecture alone, which means Linux.
 * The result is normalised.
 *
 * @throws ContentError of kind `usage`, code `bad-platform`
 * @example
 * parsePlatform('linux/aarch64') // { os: 'linux', architecture: 'arm64' }
 */
export function parsePlatform(text: string): Platform {
  const parts = text.trim().split('/')
  const wellFormed = parts.length <= 3 && parts.every(part => /^[A-Za-z0-9_.()-]+$/.test(part))
  if (!wellFormed) {
    throw new ContentError(`"${text.replace(/[^\x20-\x7e]/g, '?').slice(0, 100)}" is not a platform`, {
      kind: 'usage',
      code: 'bad-platform',
      hint: 'Write it as os/architecture or os/architecture/variant, as in linux/arm64',
    })
  }
  const [os, architecture, variant] = parts.length === 1 ? ['linux', ...parts] : parts
  // `windows(10.0.20348.1)/amd64` tells the version too.
  const version = /^(.+)\((.+)\)$/.exec(os ?? '')
  return normalizePlatform({
    os: version?.[1] ?? os ?? '',
    architecture: architecture ?? '',
    ...(variant !== undefined && { variant }),
    ...(version?.[2] !== undefined && { 'os.version': version[2] }),
  })
}

const SYSTEMS: Record<string, string> = { macos: 'darwin' }

/** Other names of architectures, some of which say the variant as well. */
const ARCHITECTURES: Record<string, { architecture: string; variant?: string }> = {
  x86_64: { architecture: 'amd64' },
  'x86-64': { architecture: 'amd64' },
  i386: { architecture: '386' },
  aarch64: { architecture: 'arm64' },
  armhf: { architecture: 'arm', variant: 'v7' },
  armel: { architecture: 'arm', variant: 'v6' },
}

/** The variant that is meant when none is said. Such a one is never written (but arm's, where both are in use). */
const BASE_VARIANTS: Record<string, string> = { arm64: 'v8', amd64: 'v1' }

/** One way of writing for what can be written in several (rule R179). Versions and features stay as they are. */
export function normalizePlatform(platform: Platform): Platform {
  const { os, architecture, variant, ...rest } = platform
  const system = os.toLowerCase()
  const name = architecture.toLowerCase()
  const known = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined
  const normal = known?.architecture ?? name
  const normalVariant = normalizeVariant(normal, known?.variant ?? variant?.toLowerCase())
  return {
    os: (Object.hasOwn(SYSTEMS, system) ? SYSTEMS[system] : undefined) ?? system,
    architecture: normal,
    ...(normalVariant !== undefined && { variant: normalVariant }),
    ...rest,
  }
}

function normalizeVariant(architecture: string, variant: string | undefined): string | undefined {
  if (architecture === 'arm') return /^\d/.test(variant ?? '') ? `v${variant}` : variant || 'v7'
  if (architecture !== 'arm64' && architecture !== 'amd64') return variant || undefined
  const named = /^\d/.test(variant ?? '') ? `v${variant}` : variant
  return named === '' || named === BASE_VARIANTS[architecture] ? undefined : named
}

/** What containers on this machine run: Linux, on the architecture of this process. */
export function hostPlatform(): Platform {
  return normalizePlatform({ os: 'linux', architecture: HOST_ARCHITECTURES[process.arch] ?? process.arch })
}

/** Node's names of architectures, where they are not those of images. */
const HOST_ARCHITECTURES: Partial<Record<string, string>> = { x64: 'amd64', ia32: '386' }

/** A platform as people write it: `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform
  return [os, architecture, ...(variant ? [variant] : [])].join('/')
}

/**
 * Chooses the manifest of an index that fits a platform best: the same system and architecture, and of the variants
 * that are not above the wanted one the highest (rules R176, R180, R181). Of equals the first is taken.
 *
 * @param descriptors the entries of an index; attestations and those without a platform are never chosen
 * @returns undefined when none fits
 */
export function selectPlatform(descriptors: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  const normal = normalizePlatform(wanted)
  let best: { descriptor: Descriptor; platform: Platform } | undefined
  for (const descriptor of descriptors) {
    if (descriptor.platform === undefined || isAttestation(descriptor)) continue
    const platform = normalizePlatform(descriptor.platform)
    if (!satisfies(platform, normal)) continue
    if (best === undefined || isBetter(platform, best.platform)) best = { descriptor, platform }
  }
  return best?.descriptor
}

/** Whether an image made for `offered` can stand for `wanted` (rules R180, R181, R182). */
export function matchesPlatform(offered: Platform, wanted: Platform): boolean {
  return satisfies(normalizePlatform(offered), normalizePlatform(wanted))
}

/** Whether an index's entry is BuildKit's attestation about another entry (rule R176). */
export function isAttestation(descriptor: Descriptor): boolean {
  return descriptor.annotations?.['vnd.docker.reference.type'] === 'attestation-manifest'
}

function satisfies(offered: Platform, wanted: Platform): boolean {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return false
  return variantFits(offered, wanted) && versionFits(offered, wanted) && featuresFit(offered, wanted)
}

function variantFits(offered: Platform, wanted: Platform): boolean {
  if (offered.variant === wanted.variant) return true
  const [rank, limit] = [variantRank(offered), variantRank(wanted)]
  return rank !== undefined && limit !== undefined && rank <= limit
}

/** Variants that build on each other, as numbers; undefined for those that don't. `v8.1` lies between `v8` and `v9`. */
function variantRank({ architecture, variant }: Platform): number | undefined {
  const named =
    variant ?? (Object.hasOwn(BASE_VARIANTS, architecture) ? BASE_VARIANTS[architecture] : undefined)
  const match = /^v(\d+)(?:\.(\d+))?$/.exec(named ?? '')
  if (match === null || !['arm', 'arm64', 'amd64'].includes(architecture)) return undefined
  return Number(match[1]) * 1000 + Number(match[2] ?? 0)
}

/** Windows runs images of its own build only: the first three parts of the version. */
function versionFits(offered: Platform, wanted: Platform): boolean {
  const version = wanted['os.version']
  if (version === undefined || version === '') return true
  const build = (text: string) => text.split('.').slice(0, 3).join('.')
  return offered['os.version'] !== undefined && build(offered['os.version']) === build(version)
}

/** What the image needs must be a part of what is there; someone who says nothing of features takes any. */
function featuresFit(offered: Platform, wanted: Platform): boolean {
  const there = offered['os.features'] ?? []
  return (wanted['os.features'] ?? []).every(feature => there.includes(feature))
}

function isBetter(candidate: Platform, best: Platform): boolean {
  const [rank, bestRank] = [variantRank(candidate) ?? 0, variantRank(best) ?? 0]
  if (rank !== bestRank) return rank > bestRank
  return compareVersions(candidate['os.version'] ?? '', best['os.version'] ?? '') > 0
}

function compareVersions(left: string, right: string): number {
  const [leftParts, rightParts] = [left.split('.').map(Number), right.split('.').map(Number)]
  for (let part = 0; part < Math.max(leftParts.length, rightParts.length); part++) {
    const difference = (leftParts[part] ?? 0) - (rightParts[part] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
