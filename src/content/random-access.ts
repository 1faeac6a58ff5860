/** Bytes that can be read at any place, into memory that is there already: those of a file on disk. */
export interface RandomAccess {
  /** In bytes. */
  readonly size: number

  /**
   * Fills `into` with the bytes from an offset on; all of them must lie within the size.
   *
   * @throws what the disk throws, and an error of kind `corrupt` when the file has become shorter
   */
  readInto(into: Uint8Array, offset: number): Promise<void>
}
