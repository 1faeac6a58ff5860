import type { Descriptor } from './descriptor.js'
import { CONFIG_LIMIT_BYTES } from './manifest.js'
import type { Context, Source } from './store.js'
import { readLimited, verifyBytes } from './verify.js'

/**
 * Reads the config that a manifest names, whatever its type, and checks it against its descriptor (rules R205, R236).
 *
 * @throws ContentError `too-large`, `size-mismatch` or `digest-mismatch`; what the source throws
 */
export async function readConfigBlob(source: Source, config: Descriptor, context: Context): Promise<Buffer> {
  const what = `config ${config.digest} of ${source.label}`
  const bytes = await readLimited(await source.openBlob(config, context), CONFIG_LIMIT_BYTES, what)
  verifyBytes(bytes, config, what)
  return bytes
}
