import type { Digest } from '../content/digest.js'
import type { PreparedLayer } from './layers.js'
import type { ArchiveLayer } from './pair-layers.js'

/**
 * The layers in the order in which they are best prepared: the largest first, so that little is left to be sent when the last
 * one is ready. Of layers with the same diffID there is only the first one.
 */
export function inOrderOfWork(layers: readonly ArchiveLayer[]): ArchiveLayer[] {
  const unique = new Map<Digest, ArchiveLayer>()
  for (const layer of layers) if (!unique.has(layer.diffID)) unique.set(layer.diffID, layer)
  return [...unique.values()].sort((one, other) => other.size - one.size)
}

/** The layers as they become ready. @throws what the first one that fails throws */
export async function* inOrderOfReadiness(
  prepared: ReadonlyMap<Digest, Promise<PreparedLayer>>,
): AsyncGenerator<PreparedLayer> {
  const waiting = new Map(
    [...prepared].map(([diffID, ready]) => [diffID, ready.then(layer => ({ diffID, layer }))]),
  )
  // One that fails while another is waited for is looked at later, or never.
  for (const ready of waiting.values()) ready.catch(() => {})
  while (waiting.size > 0) {
    const { diffID, layer } = await Promise.race(waiting.values())
    waiting.delete(diffID)
    yield layer
  }
}
