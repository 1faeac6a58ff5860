/** What rolldown makes of what another file of the bundle uses: a property that looks it up each time. */
const LOOKED_UP =
  /^Object\.defineProperty\(exports, (["'])([\w$]+)\1, \{\n\s*enumerable: true,\n\s*get: function ?\(\) \{\n\s*return ([\w$]+);\n\s*\}\n\}\);$/gm

/** What it makes of what a program exports. */
const GIVEN = /^exports\.([\w$]+) = ([\w$]+);$/gm

/**
 * Gives other files of the bundle values in the place of functions that look them up, which a start makes by the hundred, and
 * all of them at once: one by one, V8 makes ever larger tables for them. They are given when the file has run, and no module
 * of ours changes later what it exports; one that runs later, if at all, does.
 */
export function plainExports(code) {
  if (code.includes('__esmMin(')) return code
  const members = []
  const take = (name, value) => {
    members.push(`${name}: ${value}`)
    return ''
  }
  const rest = code
    .replace(LOOKED_UP, (_, _quote, name, value) => take(name, value))
    .replace(GIVEN, (_, name, value) => take(name, value))
  return members.length === 0
    ? code
    : `${rest}\nmodule.exports = { __proto__: null, ${members.join(', ')}, ...exports };\n`
}
