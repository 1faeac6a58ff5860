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
    // A copy of a command would have all that its help says, which is not read before it is asked for.
    module: '@oclif/core/lib/config/config.js',
    from: '{ ...command, hidden, id: aliasWithDefaultTopicSeparator }',
    to: 'Object.assign(Object.create(command), { hidden, id: aliasWithDefaultTopicSeparator })',
  },
  {
    // The version is written without a stream, and with it without what shows colours and spinners.
    module: '@oclif/core/lib/main.js',
    from: 'ux_1.ux.stdout(config.userAgent)',
    to: 'writeLine(config.userAgent)',
  },
  {
    module: '@oclif/core/lib/main.js',
    from: /$/,
    to: `
      function writeLine (text) {
        try {
          require('node:fs').writeSync(1, text + '\\n')
        } catch {
          process.stdout.write(text + '\\n')
        }
      }`,
  },
  {
    // HTTP/2 is not spoken, and brings TLS with it.
    module: 'undici/lib/dispatcher/client.js',
    from: "const connectH2 = require('./client-h2.js')",
    to: "const connectH2 = (...parameters) => require('./client-h2.js')(...parameters)",
  },
  {
    // With its second answer V8 begins to compile the parser of HTTP once more, in a thread that a process waits for when
    // it ends: that took longer than all the rest of a short command. Now it begins when there was much to parse.
    module: 'undici/lib/dispatcher/client-h1.js',
    from: "mod = new WebAssembly.Module(require('../llhttp/llhttp_simd-wasm.js'))",
    to: `mod = withPatience(() => new WebAssembly.Module(require('../llhttp/llhttp_simd-wasm.js')))`,
  },
  {
    module: 'undici/lib/dispatcher/client-h1.js',
    from: /$/,
    to: `
      function withPatience (compile) {
        // V8's own budgets: the flags must be in the end as they were, or it refuses what was compiled before.
        const budget = { 11: 1800000, 12: 13000000, 13: 13000000, 14: 13000000 }[parseInt(process.versions.v8)]
        if (budget === undefined || [...process.execArgv, process.env.NODE_OPTIONS].join().includes('wasm')) return compile()
        const { setFlagsFromString } = require('node:v8')
        setFlagsFromString('--wasm-tiering-budget=1000000000')
        try {
          return compile()
        } finally {
          setFlagsFromString('--wasm-tiering-budget=' + budget)
        }
      }`,
  },
]

/** What regctl uses of undici, of which that loads each part when it is used. */
const UNDICI = {
  Agent: './lib/dispatcher/agent',
  Pool: './lib/dispatcher/pool',
  ProxyAgent: './lib/dispatcher/proxy-agent',
  buildConnector: './lib/core/connect',
}

/** Makes these changes. */
export function trimmedPackages() {
  return {
    name: 'trimmed-packages',
    transform(code, id) {
      const path = id.replaceAll('\\', '/')
      if (path.endsWith('/node_modules/undici/index.js')) return trimmedUndici(code)
      if (!path.includes('/node_modules/')) refuseOtherUses(code, path)
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

/** Only these, and `request` as the package itself makes it: the rest is `fetch`, caches, web sockets and mocks. */
function trimmedUndici(code) {
  const [makeDispatcher] = /^function makeDispatcher [\s\S]*?^}$/m.exec(code) ?? []
  if (makeDispatcher === undefined)
    throw new Error('undici/index.js is not as it was: makeDispatcher is not found')
  const getters = Object.entries(UNDICI).map(([name, path]) => `get ${name}() { return require('${path}') }`)
  return `
    const Dispatcher = require('./lib/dispatcher/dispatcher')
    const util = require('./lib/core/util')
    const { InvalidArgumentError } = require('./lib/core/errors')
    const request = require('./lib/api/api-request')
    Object.assign(Dispatcher.prototype, { request })
    const getGlobalDispatcher = () => require('./lib/global').getGlobalDispatcher()
    ${makeDispatcher}
    module.exports = { request: makeDispatcher(request), ${getters.join(', ')} }`
}

/** What is taken from the package as it is imported: \`const { Agent } = await loadUndici()\`, \`undici.request()\`. */
function refuseOtherUses(code, path) {
  const destructured = [...code.matchAll(/\{([^{}]*)\} = await (?:loadUndici\(\)|import\('undici'\))/g)]
  const names = [
    ...destructured.flatMap(([, list]) => list.split(',').map(name => name.trim())),
    ...[...code.matchAll(/\bundici\.(\w+)/g)].map(([, name]) => name),
  ]
  const other = names.find(name => name !== '' && name !== 'request' && !(name in UNDICI))
  if (other !== undefined) throw new Error(`${path} uses ${other} of undici: add it in ${import.meta.url}`)
  if (/^import [^{]*\{[^}]*\} from 'undici'/m.test(code)) throw new Error(`${path} loads undici at once`)
}
