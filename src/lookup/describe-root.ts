import type { Descriptor } from '../content/descriptor.js'
import type { Context, Store } from '../content/store.js'
import type { Root } from '../copy/derived-source.js'

/**
 * The descriptor of what was opened. A registry is asked for no more than that: where pulls are counted, this is none
 * (rule R196).
 *
 * @throws RegctlError of kind `not-found` when it is not there
 */
export async function describeRoot({ source, root }: Root, context: Context): Promise<Descriptor> {
  const found = await (source as Partial<Store>).statManifest?.(root, context)
  return found ?? (await source.getManifest(root, context)).descriptor
}
