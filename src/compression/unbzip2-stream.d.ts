// The package has no types. What we use of it is described where it is used.
declare module 'unbzip2-stream/lib/bzip2.js' {
  const decoder: {
    header(bits: (count: number | null) => number): number
    decompress(
      bits: (count: number | null) => number,
      emit: (byte: number) => void,
      work: Int32Array,
      workSize: number,
      checksum: number,
    ): number | null
  }
  export default decoder
}
