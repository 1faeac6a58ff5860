// Compiles the compressor and the decompressor in assembly/ to WebAssembly, into src/compression/*-module.ts. These files
// are kept with the sources: building needs no compiler for it, and the bytes that make digests change only where a commit
// shows it.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** Each with its memory in pages of 64 KiB, in which assembly/*-map.ts has its place. */
const MODULES = [
  { name: 'deflate', what: 'The compressor', pages: 38, features: 'threads' },
  { name: 'inflate', what: 'The decompressor', pages: 68, features: 'threads,simd' },
]

/** The text of src/compression/deflate-module.ts, made anew. */
export async function makeDeflateModule() {
  return await makeModule('deflate')
}

/** The text of src/compression/NAME-module.ts, made anew. */
export async function makeModule(wanted) {
  const { name, what, pages, features } = MODULES.find(({ name }) => name === wanted)
  const { default: compiler } = await import('assemblyscript/asc')
  const parameters = [
    `assembly/${name}.ts`,
    '-o',
    `${name}.wasm`,
    '-O3',
    '--noAssert',
    '--runtime',
    'stub',
    '--use',
    'abort=',
    '--importMemory',
    '--sharedMemory',
    '--enable',
    features,
    '--initialMemory',
    String(pages),
    '--maximumMemory',
    String(pages),
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
  const constant = name.toUpperCase()
  return `// Made from assembly/ by \`npm run deflate\`.

/** ${what} as a WebAssembly module, in base64. */
export const ${constant}_MODULE =
  '${Buffer.from(binary).toString('base64')}'

/** The memory that it takes, in pages of 64 KiB. */
export const ${constant}_PAGES = ${pages}
`

  function read(path) {
    try {
      return readFileSync(`${root}${path}`, 'utf8')
    } catch {
      return null
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const { name } of MODULES)
    writeFileSync(`${root}src/compression/${name}-module.ts`, await makeModule(name))
}
