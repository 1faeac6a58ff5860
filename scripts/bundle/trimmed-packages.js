import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

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
    // All of these are given below.
    module: '@oclif/core/lib/index.js',
    from: /^(?:exports\.\w+ = )+void 0;$/m,
    to: '',
  },
  {
    // The package asks for Node's version itself.
    module: '@oclif/core/lib/index.js',
    from: /^checkNodeVersion\(\);$/m,
    to: '',
  },
  {
    // The package shows something when DEBUG says so, and looks at the terminal when it is loaded.
    module: '@oclif/core/lib/logger.js',
    from: 'const debug = (0, debug_1.default)(namespace);',
    to: 'const debug = process.env.DEBUG ? (0, debug_1.default)(namespace) : () => {};',
  },
  {
    // The names of commands are ASCII. For what languages make of them, ICU would be loaded.
    module: '@oclif/core/lib/config/plugin.js',
    from: '.sort((a, b) => a.id.localeCompare(b.id))',
    to: '.sort((a, b) => (a.id < b.id ? -1 : 1))',
  },
  {
    // Three small files are read, one after the other; the promises of node:fs are not loaded for them.
    module: '@oclif/core/lib/util/fs.js',
    from: "await (0, promises_1.readFile)(path, 'utf8')",
    to: "(0, node_fs_1.readFileSync)(path, 'utf8')",
  },
  {
    // It asks whether this is Windows' Linux, which nothing here depends on. Besides that answer, its package runs programs.
    module: '@oclif/core/lib/util/os.js',
    from: "(await import('wsl-utils')).isWsl ? 'wsl' : (0, node_os_1.platform)()",
    to: 'process.platform',
  },
  {
    // Only Windows' help speaks of the shell: the file of users is not read for it.
    module: '@oclif/core/lib/util/os.js',
    from: '?? (0, node_os_1.userInfo)().shell?.split(node_path_1.default.sep)?.pop()',
    to: '',
  },
  {
    module: '@oclif/core/lib/config/config.js',
    from: "(0, node_os_1.arch)() === 'ia32' ? 'x86' : (0, node_os_1.arch)()",
    to: "process.arch === 'ia32' ? 'x86' : process.arch",
  },
  {
    // An error, which takes longer to make, is not thrown for a file that few have.
    module: '@oclif/core/lib/util/fs.js',
    from: 'async function safeReadJson(path, useCache = true) {',
    to: '$& if (!(0, node_fs_1.existsSync)(path)) return;',
  },
  {
    // A text without anything to put in is no template that a function has to be made of.
    module: '@oclif/core/lib/help/util.js',
    from: 'return ejs_1.default.render(t, context)',
    to: "return typeof t === 'string' && !t.includes('<%') ? t : ejs_1.default.render(t, context)",
  },
  {
    // Of a whole package.json.
    module: '@oclif/core/lib/cache.js',
    from: "require('@oclif/core/package.json').version",
    to: JSON.stringify(oclifVersion()),
  },
  {
    // Ours stand by for a closed output when the stream is made, which few commands need.
    module: '@oclif/core/lib/command.js',
    from: /process\.stdout\.on\('error', [\s\S]*?\n\}\);/,
    to: '',
  },
  {
    // What a command does not say is undefined anyway. One by one, V8 makes ever larger tables for these.
    module: '@oclif/core/lib/command.js',
    from: /^ {4}static \w+;$/gm,
    to: '',
  },
  {
    // Few flags have other names, and each that has none would make five objects.
    module: '@oclif/core/lib/parser/parse.js',
    from: 'Object.values(input.flags).flatMap(',
    to: 'Object.values(input.flags).filter(flag => flag.aliases ?? flag.charAliases).flatMap(',
  },
  {
    // It is read anew for a command of a plugin that brings an oclif of its own, which there is none of.
    module: '@oclif/core/lib/command.js',
    from: 'await config_1.Config.load(opts || require.main?.filename || __dirname)',
    to: "typeof opts?.runHook === 'function' ? opts : $&",
  },
  {
    // A copy of a command would have all that its help says, which is not read before it is asked for.
    module: '@oclif/core/lib/config/config.js',
    from: '{ ...command, hidden, id: aliasWithDefaultTopicSeparator }',
    to: 'Object.assign(Object.create(command), { hidden, id: aliasWithDefaultTopicSeparator })',
  },
]

function oclifVersion() {
  const path = fileURLToPath(import.meta.resolve('@oclif/core/package.json'))
  return JSON.parse(readFileSync(path, 'utf8')).version
}

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
