// Makes the programs' bundle, dist/cli-bundle, from what tsc made: CommonJS, of which each command loads what it uses.
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { minifySync } from 'rolldown/utils'
import { chunks } from './bundle/chunks.js'
import { eagerModules, lazyImports, lazyRequires } from './bundle/lazy-loading.js'
import { moduleUrls } from './bundle/module-urls.js'
import { ownRuntime } from './bundle/own-runtime.js'
import { plainExports } from './bundle/plain-exports.js'
import { trimmedPackages } from './bundle/trimmed-packages.js'

const root = fileURLToPath(new URL('..', import.meta.url))

/** Native: it is loaded by a process of its own, which is no part of the bundle. */
const EXTERNAL = ['@napi-rs/keyring']

/**
 * From this size on, V8 keeps a string by itself, where it is not copied by the collections of young garbage; and those come
 * the later, the less there is of that. Without them a start takes a tenth less.
 */
const LARGE_STRING = 128 * 1024
/** What is smaller than this is not made so large. */
const WORTH_IT = 32 * 1024

/**
 * Writes the bundle.
 *
 * @param {string} compiled the folder that tsc wrote to; the bundle becomes its `cli-bundle`
 */
export async function writeBundle(compiled) {
  const folder = join(compiled, 'cli-bundle')
  const { codeSplitting, refuseMissing } = chunks(compiled)
  const programs = await bundle(
    compiled,
    {
      regctl: regctl(compiled),
      outlines: `export const outlines = () => JSON.parse(${JSON.stringify(JSON.stringify(outlines()))})`,
      'docker-credential-regctl': dockerCredentialHelper(compiled),
    },
    codeSplitting,
  )
  refuseMissing()
  const start = await bundle(compiled, { start: starter(compiled, buildOf(programs)) }, undefined)
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  for (const { fileName, code } of [...programs.map(asFunction), ...start.map(asStarter)]) {
    writeFileSync(join(folder, fileName), code)
  }
}

/** @param {string} compiled */
function regctl(compiled) {
  const files = readdirSync(join(compiled, 'cli/commands'), { recursive: true, encoding: 'utf8' })
  const loaders = files
    .filter(file => file.endsWith('.js'))
    .map(file => file.slice(0, -'.js'.length).replaceAll('\\', '/'))
    .sort()
    .map(name => `'${name.replaceAll('/', ':')}': () => import('${compiled}/cli/commands/${name}.js')`)
  return `
    import { main } from '${compiled}/cli/main.js'
    const pjson = ${JSON.stringify(ownPackageJson())}
    const loaders = { ${loaders.join(',\n')} }
    const longNames = ${JSON.stringify(longNames())}
    const outlines = async () => (await import('program:outlines')).outlines()
    export const run = (parameters, root) =>
      main(parameters, { root, pjson, outlines, longNames, loaders })`
}

/** What oclif and our commands ask of package.json. */
function ownPackageJson() {
  const { dependencies, devDependencies, exports, files, scripts, ...asked } = packageJson()
  return asked
}

/** The names and aliases of commands that have several words. */
function longNames() {
  return outlines()
    .flatMap(({ id, aliases, hiddenAliases }) => [id, ...aliases, ...hiddenAliases])
    .filter(name => name.includes(':'))
}

/** What finding a command takes: see CommandOutline. */
function outlines() {
  const { commands } = JSON.parse(readFileSync(`${root}oclif.manifest.json`, 'utf8'))
  return Object.values(commands).map(
    ({ description, examples, flags, isESM, relativePath, ...outline }) => outline,
  )
}

/** @param {string} compiled */
function dockerCredentialHelper(compiled) {
  const { name: packageName, version } = packageJson()
  return `
    import { runCredentialHelper } from '${compiled}/cli/docker-credential-helper.js'
    export const run = parameters => runCredentialHelper(parameters, ${JSON.stringify({ packageName, version })})`
}

/** @param {string} compiled @param {string} build */
function starter(compiled, build) {
  return `
    import { startProgram } from '${compiled}/start/start.js'
    export const start = (folder, program, require) => startProgram(folder, program, require, '${build}')`
}

/**
 * @param {string} compiled
 * @param {Record<string, string>} programs the text of each program's first module, and of others that they import, by its name
 */
async function bundle(compiled, programs, codeSplitting) {
  const build = await rolldown({
    cwd: compiled,
    experimental: { attachDebugInfo: 'none' },
    input: Object.fromEntries(Object.keys(programs).map(name => [name, `program:${name}`])),
    platform: 'node',
    preserveEntrySignatures: 'allow-extension',
    external: EXTERNAL,
    treeshake: { moduleSideEffects: id => !id.startsWith(compiled) },
    plugins: [
      {
        name: 'programs',
        resolveId: id => (id.startsWith('program:') ? id : undefined),
        load: id => programs[id.slice('program:'.length)],
      },
      moduleUrls(compiled),
      trimmedPackages(),
      lazyRequires(),
    ],
    onLog(level, log) {
      if (level === 'warn') throw new Error(log.message)
    },
  })
  const { output } = await build.generate({
    format: 'cjs',
    dynamicImportInCjs: false,
    ...(codeSplitting !== undefined && { codeSplitting }),
    entryFileNames: '[name].cjs',
    chunkFileNames: '[name]-[hash].cjs',
    comments: false,
  })
  await build.close()
  const runtime = output.find(({ name }) => name === 'rolldown-runtime')?.code
  return output.map(({ fileName, code }) => ({
    fileName,
    code: inAscii(shortened(eagerModules(lazyImports(ownRuntime(plainExports(code), runtime))))),
  }))
}

/** Without what is there for readers, but for the names of functions and classes, which the stacks of errors have. */
function shortened(code) {
  const options = { compress: false, mangle: { toplevel: false }, codegen: { removeWhitespace: true } }
  const { code: short, errors } = minifySync('bundle.cjs', code, { module: false, ...options })
  if (errors.length > 0) throw new Error(errors.map(({ message }) => message).join('\n'))
  return short
}

/** As the starter runs it: without a copy of it all, only to put this around it. */
function asFunction({ fileName, code }) {
  const whole = `(function (exports, require, module, __filename, __dirname) {${code}\n})`
  return { fileName, code: whole.length < WORTH_IT ? whole : whole.padEnd(LARGE_STRING) }
}

/** As what is in bin runs it: a function that starts a program. */
function asStarter({ fileName, code }) {
  const run = `const module = {}; const exports = {};${code}\nmodule.exports.start(folder, program, require)`
  return { fileName, code: `(function (folder, program, require) {${run}})` }
}

/** What is ASCII can be read without being decoded. Outside of literals there is nothing else. */
function inAscii(code) {
  return code.replace(/[^\0-\x7f]/g, unit => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** A name for these files and no others: V8 looks at the length of a file only, to know whether it compiled that. */
function buildOf(files) {
  const { version } = packageJson()
  const hash = createHash('sha256')
  for (const { fileName, code } of files) hash.update(`${fileName}\0${code}\0`)
  return `${version}-${hash.digest('hex').slice(0, 12)}`
}

function packageJson() {
  return JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
}
