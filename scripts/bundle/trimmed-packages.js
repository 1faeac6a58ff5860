/**
 * Where a package's module loads more than regctl ever uses, and what is written instead. Each must be found as it stands
 * here: what a new version does otherwise has to be looked at.
 */
const CHANGES = [
  {
    // Which of its functions are needed at each start is in a part of the help.
    module: '@oclif/core/lib/main.js',
    from: /\(0, help_1\.(normalizeArgv|getHelpFlagAdditions)\)/g,
    to: '(0, require("./help/util").$1)',
  },
  {
    // The package asks for Node's version itself.
    module: '@oclif/core/lib/index.js',
    from: /^checkNodeVersion\(\);$/m,
    to: '',
  },
]

/** Makes these changes. */
export function trimmedPackages() {
  return {
    name: 'trimmed-packages',
    transform(code, id) {
      const path = id.replaceAll('\\', '/')
      const changes = CHANGES.filter(({ module }) => path.endsWith(`/node_modules/${module}`))
      return changes.length === 0 ? undefined : changes.reduce(change, code)
    },
  }
}

function change(code, { module, from, to }) {
  const changed = code.replace(from, to)
  if (changed === code) throw new Error(`${module} is not as it was: ${from} is not found`)
  return changed
}
