import { createContext } from '../content/context.js'
import type { Context, Source } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'
import { DockerArchiveSource } from '../docker-archive/docker-archive-source.js'
import { ImageVerifier, type Verified, type VerifyOptions } from './verify-image.js'

/**
 * Verifies images that were opened together; see {@link ImageVerifier}.
 *
 * @param options `referrers`: verify what refers to them too
 */
export async function verifyRoots(
  roots: readonly (Root & { label: string })[],
  context: Context,
  options: VerifyOptions & { referrers?: boolean },
): Promise<Verified> {
  const verifiers = new Map<Source, ImageVerifier>()
  const stop = new AbortController()
  const signal = AbortSignal.any([context.signal, stop.signal])
  const own = createContext({ signal, emit: event => context.emit(event) })
  try {
    for (const root of roots) {
      const verifier = verifiers.get(root.source) ?? new ImageVerifier(root.source, own, options)
      verifiers.set(root.source, verifier)
      if (roots.length === 1) await verifier.verify(root.root, root.label)
      else await verifier.verifyOneOf(root.root, root.label)
      if (options.referrers === true && !(root.source instanceof DockerArchiveSource)) {
        await verifier.verifyReferrers(root)
      }
    }
  } catch (error) {
    // Whatever is still being read is of no use any more.
    stop.abort()
    throw error
  }
  const sum = (field: keyof Verified) =>
    [...verifiers.values()].reduce((total, { verified }) => total + verified[field], 0)
  return {
    manifests: sum('manifests'),
    blobs: sum('blobs'),
    bytes: sum('bytes'),
    problems: sum('problems'),
    unknown: sum('unknown'),
  }
}
