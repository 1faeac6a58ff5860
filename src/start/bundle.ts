import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Script } from 'node:vm'
import type { CodeCache } from './code-cache.js'

/** A file of the bundle as CommonJS has them. */
interface LoadedModule {
  exports: unknown
}

type Run = (
  exports: unknown,
  require: NodeJS.Require,
  module: LoadedModule,
  filename: string,
  dirname: string,
) => void

/**
 * The command line as one bundle of CommonJS files that require each other as they are needed; each is written as the
 * function that Node makes of such a file. They are run as Node would run them, but compiled code comes from the cache where that has it.
 */
export class Bundle {
  readonly #folder: string
  readonly #cache: CodeCache
  readonly #modules = new Map<string, LoadedModule>()
  readonly #scripts = new Map<string, Script>()
  readonly #require: NodeJS.Require
  #isComplete = true

  /** @param folder an absolute path @param require finds what is not in the bundle */
  constructor(folder: string, cache: CodeCache, require: NodeJS.Require) {
    this.#folder = folder
    this.#cache = cache
    const own = (name: string) => (name.startsWith('./') ? this.load(name.slice(2)) : require(name))
    this.#require = Object.assign(own, require)
  }

  /** Runs a file of the bundle, once. */
  readonly load = (file: string): unknown => {
    const loaded = this.#modules.get(file)
    if (loaded !== undefined) return loaded.exports
    // Without a prototype, V8 makes it a table at once, and not another shape of objects for each name that is added.
    const module: LoadedModule = { exports: Object.create(null) }
    this.#modules.set(file, module)
    const path = join(this.#folder, file)
    const run = this.#compile(file, path).runInThisContext() as Run
    run(module.exports, this.#require, module, path, this.#folder)
    return module.exports
  }

  /** Remembers what was compiled, if there is anything that was not remembered. To be called when all is done. */
  save(): void {
    if (this.#isComplete) return
    this.#cache.save(new Map([...this.#scripts].map(([file, script]) => [file, script.createCachedData()])))
  }

  #compile(file: string, filename: string): Script {
    const cachedData = this.#cache.get(file)
    const script = new Script(readFileSync(filename, 'latin1'), {
      filename,
      ...(cachedData !== undefined && { cachedData }),
    })
    if (cachedData === undefined || script.cachedDataRejected === true) this.#isComplete = false
    this.#scripts.set(file, script)
    return script
  }
}
