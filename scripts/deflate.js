// Compiles the compressor in assembly/ to WebAssembly, into src/compression/deflate-module.ts. That file is kept with the
// sources: building needs no compiler for it, and the bytes that make digests change only where a commit shows it.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** The memory of the compressor, in pages of 64 KiB: assembly/memory-map.ts has its place in it. */
const PAGES = 38
const target = `${root}src/compression/deflate-module.ts`

/** The text of src/compression/deflate-module.ts, made anew. */
export async function makeDeflateModule() {
  const { default: compiler } = await import('assemblyscript/asc')
  const parameters = [
    'assembly/deflate.ts',
    '-o',
    'deflate.wasm',
    '-O3',
    '--noAssert',
    '--runtime',
    'stub',
    '--use',
    'abort=',
    '--importMemory',
    '--sharedMemory',
    '--enable',
    'threads',
    '--initialMemory',
    String(PAGES),
    '--maximumMemory',
    String(PAGES),
  ]
  let binary
  const { error, stderr } = await compiler.main(parameters, {
    readFile: (name, folder) => read(`${folder}/${name}`),
    writeFile: (_name, content) => {
      binary = content
    },
    listFiles: () => [],
  })
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`)
  return `// Made from assembly/ by \`npm run deflate\`.

/** The compressor as a WebAssembly module, in base64. */
export const DEFLATE_MODULE =
  '${Buffer.from(binary).toString('base64')}'

/** The memory that it takes, in pages of 64 KiB. */
export const DEFLATE_PAGES = ${PAGES}
`

  function read(path) {
    try {
      return readFileSync(`${root}${path}`, 'utf8')
    } catch {
      return null
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(target, await makeDeflateModule())
