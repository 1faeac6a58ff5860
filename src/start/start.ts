import { basename, dirname, isAbsolute, join } from 'node:path'
import { cacheFolder } from '../files/cache-folder.js'
import { Bundle } from './bundle.js'
import { CodeCache } from './code-cache.js'

/** Exit code of a wrong usage: what was compiled for it is not what the command needs. */
const USAGE = 2

/** What a program of the bundle exports. */
interface Program {
  /** @param root the folder of package.json */
  run(parameters: string[], root: string): void
}

/**
 * Starts a program of the bundle, with the code cache.
 *
 * @param folder of the bundle, absolute; it is `dist/cli-bundle` of the package
 * @param program the name of its file
 * @param require of the start file
 * @param build names the build that made the bundle
 */
export function startProgram(folder: string, program: string, require: NodeJS.Require, build: string): void {
  const parameters = process.argv.slice(2)
  const cache = new CodeCache({
    folder: codeFolder(),
    build: `${build}-${process.version}-${process.arch}${flagsKey()}`,
    name: [program, ...parameters.slice(0, 1).filter(isName)].join('-'),
  })
  const bundle = new Bundle(folder, cache, require)
  process.once('exit', code => {
    if (code !== USAGE) bundle.save()
  })
  const { run } = bundle.load(`${program}.cjs`) as Program
  run(parameters, dirname(dirname(folder)))
}

function codeFolder(): string | undefined {
  const { REGCTL_CODE_CACHE_DIR: own } = process.env
  if (own !== undefined && isAbsolute(own)) return own
  try {
    return join(cacheFolder({ environment: process.env }), 'code')
  } catch {
    // Who has no home, has no cache.
    return undefined
  }
}

/** V8 refuses what was compiled under other flags. */
function flagsKey(): string {
  const flags = [...process.execArgv, process.env.NODE_OPTIONS ?? ''].join(' ').trim()
  if (flags === '') return ''
  let hash = 0
  for (const character of flags) hash = (Math.imul(hash, 31) + (character.codePointAt(0) ?? 0)) >>> 0
  return `-${hash.toString(16)}`
}

/** Verbs are such words; a reference or path never becomes the name of a file. */
function isName(parameter: string): boolean {
  return /^[a-z][a-z-]{0,19}$/.test(parameter) && basename(parameter) === parameter
}
