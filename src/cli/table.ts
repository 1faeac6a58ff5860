const GAP = 3
const MINIMUM_WIDTH = 10

/**
 * A table as Docker prints it: columns as wide as their widest cell and a gap, and at least ten characters.
 *
 * @param rows the head first, each with the same number of cells, which are safe to show
 */
export function formatTable(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(MINIMUM_WIDTH, ...rows.map(row => (row[column] ?? '').length + GAP)),
  )
  const lines = rows.map(row =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('')
      .trimEnd(),
  )
  return lines.map(line => `${line}\n`).join('')
}
