/**
 * The time in milliseconds of a clock that never goes back, from any beginning. As `performance.now()`, with whose first use
 * all that Node measures itself by is loaded.
 */
export function monotonicMs(): number {
  return process.uptime() * 1000
}
