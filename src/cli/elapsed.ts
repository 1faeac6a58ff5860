const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const DAY = 24 * HOUR

/**
 * How long ago a time was, in Docker's words: `3 months ago`. `N/A` for one that is missing, no time at all, or the zero
 * that tools write to be reproducible.
 *
 * @param time as in an image's config (RFC 3339)
 */
export function timeAgo(time: string | undefined, now: Date): string {
  const then = time === undefined ? Number.NaN : Date.parse(time)
  if (Number.isNaN(then) || then <= 0) return 'N/A'
  const elapsed = now.getTime() - then
  return elapsed < 0 ? 'in the future' : `${duration(elapsed)} ago`
}

/** Docker's thresholds: 47 hours, 13 days, 8 weeks, 23 months. */
function duration(elapsed: number): string {
  if (elapsed < SECOND) return 'Less than a second'
  if (elapsed < MINUTE) return count(elapsed / SECOND, 'second')
  if (elapsed < 2 * MINUTE) return 'About a minute'
  if (elapsed < HOUR) return count(elapsed / MINUTE, 'minute')
  if (Math.round(elapsed / HOUR) === 1) return 'About an hour'
  if (elapsed < 2 * DAY) return count(Math.round(elapsed / HOUR), 'hour')
  if (elapsed < 14 * DAY) return count(elapsed / DAY, 'day')
  if (elapsed < 60 * DAY) return count(elapsed / (7 * DAY), 'week')
  if (elapsed < 2 * 365 * DAY) return count(elapsed / (30 * DAY), 'month')
  return count(elapsed / (365 * DAY), 'year')
}

function count(value: number, unit: string): string {
  const whole = Math.floor(value)
  return `${whole} ${unit}${whole === 1 ? '' : 's'}`
}
