import { badLayer, quoted } from './export-error.js'

/**
 * Splits the name of a member, or the target of a hard link, into its parts below the root. Absolute names count from
 * the root; `.`, doubled and trailing slashes are dropped, and `..` takes the part before it back.
 *
 * @param what for the message: `layer sha256:…`
 * @throws ExportError `unsafe-path` when it leads out of the root (rules R223, R225)
 */
export function splitPath(name: string, what: string): string[] {
  const parts: string[] = []
  for (const part of name.split('/')) {
    if (part === '' || part === '.') continue
    if (part !== '..') parts.push(part)
    else if (parts.pop() === undefined) {
      throw badLayer('unsafe-path', `${what} has ${quoted(name)}, which leads out of the root`)
    }
  }
  if (name.includes('\0')) throw badLayer('unsafe-path', `${what} has ${quoted(name)}, which is no file name`)
  return parts
}

const PREFIX = '.wh.'
const OPAQUE = '.wh..wh..opq'
/** What AUFS keeps for itself at the top of a layer; no part of the file system. */
const AUFS_PREFIX = '.wh..wh.'

/** What a member's name stands for (image-spec, Representing Changes; rule R195). */
export type LayerName =
  | { kind: 'entry'; path: string[] }
  /** This path of the lower layers is gone. */
  | { kind: 'whiteout'; path: string[] }
  /** What the lower layers have in this folder is gone. */
  | { kind: 'opaque'; path: string[] }
  | { kind: 'ignored' }

/**
 * Tells a whiteout from a file.
 *
 * @throws ExportError `unsafe-path`; `bad-whiteout` for one that names nothing, or leads elsewhere
 */
export function parseLayerName(name: string, what: string): LayerName {
  const path = splitPath(name, what)
  if (path[0]?.startsWith(AUFS_PREFIX) && path[0] !== OPAQUE) return { kind: 'ignored' }
  const base = path.at(-1)
  const parent = path.slice(0, -1)
  if (parent.some(part => part.startsWith(PREFIX))) {
    throw badLayer('bad-whiteout', `${what} has ${quoted(name)}, which is below a whiteout`)
  }
  if (base === undefined || !base.startsWith(PREFIX)) return { kind: 'entry', path }
  if (base === OPAQUE) return { kind: 'opaque', path: parent }
  const hidden = base.slice(PREFIX.length)
  if (hidden === '' || hidden === '.' || hidden === '..') {
    throw badLayer('bad-whiteout', `${what} has the whiteout ${quoted(name)}, which names no file`)
  }
  return { kind: 'whiteout', path: [...parent, hidden] }
}
