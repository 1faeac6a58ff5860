import { plainExports } from './plain-exports.js'

/** What rolldown writes where a file of the bundle uses its runtime, which it always makes a file of. */
const RUNTIME_IMPORT = /^const require_rolldown_runtime = require\("\.\/rolldown-runtime[^"]*"\);\n/m

/**
 * Gives a file whose CommonJS modules rolldown has wrapped a runtime of its own: each start runs one, and would have to read
 * another file for it. Elsewhere the runtime is of use to what few runs load.
 *
 * @param {string} code of a file @param {string | undefined} runtime the code of rolldown's
 */
export function ownRuntime(code, runtime) {
  if (runtime === undefined || !code.includes('.__commonJSMin(')) return code
  return code.replace(
    RUNTIME_IMPORT,
    () =>
      `const require_rolldown_runtime = (module => {\nconst exports = {};\n${plainExports(runtime)}\nreturn module.exports;\n})({});\n`,
  )
}
