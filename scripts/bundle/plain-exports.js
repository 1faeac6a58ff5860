/** What rolldown makes of what another file of the bundle uses: a property that looks it up each time. */
const LOOKED_UP =
  /^Object\.defineProperty\(exports, (["'])([\w$]+)\1, \{\n\s*enumerable: true,\n\s*get: function ?\(\) \{\n\s*return ([\w$]+);\n\s*\}\n\}\);$/gm

/**
 * Gives other files of the bundle values in the place of functions that look them up, which a start makes by the hundred. They
 * are given when the file has run, and no module of ours changes later what it exports; one that runs later, if at all, does.
 */
export function plainExports(code) {
  return code.includes('__esmMin(') ? code : code.replace(LOOKED_UP, 'exports.$2 = $3;')
}
