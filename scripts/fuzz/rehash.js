import { createHash } from 'node:crypto'

/**
 * Files of a layout in which a blob was changed, with its name, and all that name it, changed to fit.
 *
 * @param files with the changed file among them
 * @param before the bytes it had
 * @param changed the entry of it
 */
export function withRightDigests(files, before, changed) {
  let result = files
  const waiting = [{ before, changed }]
  // Each step goes up from a blob to what names it; a mistake may make that a circle.
  for (let steps = 0; waiting.length > 0 && steps < 20; steps++) {
    const { before: oldBytes, changed: entry } = waiting.pop()
    const [oldHex, newHex] = [hex(oldBytes), hex(entry[1])]
    if (!entry[0].includes(oldHex) || oldHex === newHex) continue
    result = result.map(file => (file[0] === entry[0] ? [entry[0].replace(oldHex, newHex), entry[1]] : file))
    result = result.map(([name, bytes]) => {
      const text = bytes.toString('latin1')
      if (!text.includes(oldHex)) return [name, bytes]
      const fixed = Buffer.from(withSizes(text.replaceAll(oldHex, newHex), newHex, entry[1].length), 'latin1')
      waiting.push({ before: bytes, changed: [name, fixed] })
      return [name, fixed]
    })
  }
  return result
}

/** The size stands before or after the digest, whoever wrote it. */
function withSizes(text, digestHex, size) {
  const after = new RegExp(`(${digestHex}"\\s*,\\s*"size"\\s*:\\s*)\\d+`, 'g')
  const before = new RegExp(`("size"\\s*:\\s*)\\d+(\\s*,\\s*"digest"\\s*:\\s*"sha256:${digestHex})`, 'g')
  return text.replace(after, `$1${size}`).replace(before, `$1${size}$2`)
}

function hex(bytes) {
  return createHash('sha256').update(bytes).digest('hex')
}
