/** What to do about the compression of layers. */
export interface LayerCompression {
  /**
   * - `auto`: plain layers become gzip, compressed ones stay as they are
   * - `keep`: every layer stays as it is
   * - `none`: every layer becomes plain
   * - `gzip`, `zstd`: layers that have another compression get this one
   */
  algorithm: 'auto' | 'keep' | 'none' | 'gzip' | 'zstd'
  /** Undefined for the algorithm's default. When given, layers are compressed again even if the algorithm is the same. */
  level?: number
}
