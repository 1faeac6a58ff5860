/** What TypeScript makes of an import: `const util_1 = __importDefault(require("../util"))`. */
const COMPILED_IMPORT =
  /^(?:const|var) (\w+) = ((?:__import(?:Default|Star)\()?require\(["'][^"']+["']\)\)?);$/gm

/** What TypeScript makes of `export * as Args from './args'`. */
const COMPILED_EXPORT = /^exports\.(\w+) = (__importStar\(require\("[^"]+"\)\));$/gm

/** What then stands in the place of both. */
const GIVEN_EXPORT =
  /^Object\.defineProperty\(exports, "(\w+)", \{ enumerable: true, get: (?:function \(\) \{ return (.+?); \}|\(\) => (.+?)) \}\);$/gm

/** What rolldown makes of an import of Node's or another file's: `let node_fs = require("node:fs")`. */
const BUNDLED_IMPORT =
  /^(?:const|let) ([\w$]+) = (require\("(?:node:|\.\/)[^"]+"\));\n(?:\1 = (require_rolldown_runtime\.__toESM)\(\1(, 1)?\);\n)?/gm

/** What rolldown leaves of an import of which nothing is used. */
const UNUSED_IMPORT = /^require\("node:[^"]+"\);\n/gm

/**
 * Lets the modules of oclif be run when something of theirs is used. As they are published, each runs all that it imports:
 * with the first come help, plugins and spinners.
 */
export function lazyRequires() {
  return {
    name: 'lazy-requires',
    transform(code, id) {
      if (!/[\\/]@oclif[\\/]core[\\/]lib[\\/]/.test(id)) return undefined
      const lazy = loadedWhenUsed(code, COMPILED_IMPORT).replace(
        COMPILED_EXPORT,
        'Object.defineProperty(exports, "$1", { enumerable: true, get: () => $2 });',
      )
      return /[\\/]lib[\\/]index\.js$/.test(id) ? givenAtOnce(lazy) : lazy
    },
  }
}

/** One table of all that a module exports: one by one, V8 makes ever larger ones. */
function givenAtOnce(code) {
  const members = []
  const rest = code.replace(GIVEN_EXPORT, (_, name, value, called) => {
    members.push(`get ${name}() { return ${value ?? called} }`)
    return ''
  })
  return `${rest}\nmodule.exports = { __proto__: null, __esModule: true, ${members.join(', ')} }\n`
}

/** The same for a file of the bundle: what it has of Node and of other files is loaded when it is used. */
export function lazyImports(code) {
  return loadedWhenUsed(code.replace(UNUSED_IMPORT, ''), BUNDLED_IMPORT)
}

/** What rolldown makes of a CommonJS module: `var require_util = require_rolldown_runtime.__commonJSMin(((exports) => {` */
const WRAPPED_MODULE = /(\b__commonJSMin\()\(\(([\w$, ]*)\) => \{/g

/**
 * Has V8 compile CommonJS modules with the file that they are in, whose commands run most of them. It reads an arrow function
 * within another function whole, and once more when it is called; a function in parentheses only once.
 */
export function eagerModules(code) {
  return code.replace(WRAPPED_MODULE, '$1(function ($2) {')
}

/** Puts a function in the place of each variable that holds a module. */
function loadedWhenUsed(code, pattern) {
  const names = []
  const declared = code.replace(pattern, (_, name, required, adapt, mode = '') => {
    names.push(name)
    const value = typeof adapt === 'string' ? `${adapt}(${required}${mode})` : required
    return `let loaded_${name}; function load_${name}() { return loaded_${name} ??= ${value}; }\n`
  })
  if (names.length === 0) return code
  const alternatives = names.map(name => name.replaceAll('$', '\\$')).join('|')
  // Neither part of a longer name nor a property; but `...name` is neither.
  const use = new RegExp(`(?<![\\w$"'])(?<!(?<!\\.\\.)\\.)(${alternatives})(?![\\w$])`, 'g')
  return declared.replace(use, '(load_$1())')
}
