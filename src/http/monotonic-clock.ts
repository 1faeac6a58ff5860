/**
 * The time in milliseconds of a clock that never goes back, from any beginning. As `performance.now()`, with whose first use
 * all that Node measures itself by is loaded.
 */
export function monotonicMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
