/** What TypeScript makes of an import: `const util_1 = __importDefault(require("../util"))`. */
const IMPORT = /^(?:const|var) (\w+_\d+) = (__import(?:Default|Star)\()?require\(("[^"]+")\)\)?;$/gm

/**
 * Lets the modules of oclif be run when something of theirs is used. As they are published, each runs all that it imports:
 * with the first come help, plugins and spinners.
 */
export function lazyRequires() {
  return {
    name: 'lazy-requires',
    transform(code, id) {
      if (!/[\\/]@oclif[\\/]core[\\/]lib[\\/]/.test(id)) return undefined
      const names = []
      const declared = code.replace(IMPORT, (_, name, wrapper = '', path) => {
        names.push(name)
        const value = wrapper === '' ? `require(${path})` : `${wrapper}require(${path}))`
        return `let loaded_${name}; function load_${name}() { return loaded_${name} ??= ${value}; }`
      })
      if (names.length === 0) return undefined
      return declared.replace(new RegExp(`(?<![\\w.$"'])(${names.join('|')})\\b`, 'g'), '(load_$1())')
    },
  }
}
