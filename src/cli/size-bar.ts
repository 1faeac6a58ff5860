const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/**
 * A bar as long as a size is large. Whatever isn't empty shows at least the smallest piece.
 *
 * @param width of the bar for `biggest`, in columns
 * @param style `ascii` where the terminal's encoding lacks blocks
 */
export function sizeBar(size: number, biggest: number, width: number, style: 'unicode' | 'ascii'): string {
  if (size <= 0 || biggest <= 0) return ''
  const steps = style === 'unicode' ? 8 : 1
  const length = Math.max(1, Math.round((Math.min(size, biggest) / biggest) * width * steps))
  if (style === 'ascii') return '#'.repeat(length)
  return '█'.repeat(Math.floor(length / 8)) + (EIGHTHS[length % 8] ?? '')
}
