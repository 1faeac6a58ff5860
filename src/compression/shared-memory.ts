import { CompressionError } from './compression-error.js'

/**
 * Memory of WebAssembly that threads share. Of addresses it takes some gigabytes.
 *
 * @param pages of 64 KiB
 * @throws CompressionError `no-memory` where the process may not have them
 */
export function makeSharedMemory(pages: number): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true })
  } catch (cause) {
    throw new CompressionError('the process may not have as many addresses as a compressor needs', {
      kind: 'failed',
      code: 'no-memory',
      hint: 'Allow it all of them by `ulimit -v unlimited`: they cost no memory',
      cause,
    })
  }
}
