const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB']

/** Bytes as Docker shows them: decimal units, three digits. `12.3MB`, `404kB`, `1.02GB`. */
export function formatBytes(bytes: number): string {
  let value = Math.max(0, bytes)
  let unit = 0
  // 999.6 kB would be rounded to 1000 kB, so it is a megabyte already.
  while (value >= (unit === 0 ? 1000 : 999.5) && unit < UNITS.length - 1) {
    value /= 1000
    unit++
  }
  const rounded = unit === 0 ? Math.round(value) : Number(value.toPrecision(3))
  return `${rounded}${UNITS[unit]}`
}

/** Seconds as people say them: `4s`, `3m20s`, `2h05m`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds))
  if (whole < 60) return `${whole}s`
  const two = (value: number) => `${value}`.padStart(2, '0')
  if (whole < 3600) return `${Math.floor(whole / 60)}m${two(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h${two(Math.floor((whole % 3600) / 60))}m`
}
