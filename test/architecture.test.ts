import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const SRC = fileURLToPath(new URL('../src/', import.meta.url))

const BASE = ['deadline.ts', 'errors.ts', 'limit.ts', 'monotonic-clock.ts']
const STORES = ['layout', 'docker-archive', 'registry']

/** What knows one way of storing images, or none: all that an image is opened with. */
const OPENING = [...BASE, 'content', 'files', 'copy', ...STORES, 'archive', 'tar']

/** Which part may import which, besides itself. A part is a folder of src or a file at its top. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  'errors.ts': [],
  'limit.ts': [],
  'deadline.ts': [],
  'monotonic-clock.ts': [],
  content: BASE,
  files: [...BASE, 'content'],
  tar: [...BASE, 'content'],
  compression: [...BASE, 'content', 'files'],
  credentials: [...BASE, 'content', 'files'],
  config: [...BASE, 'content'],
  archive: [...BASE, 'content', 'tar', 'compression'],
  layout: [...BASE, 'content', 'files', 'tar', 'compression', 'archive'],
  'docker-archive': [...BASE, 'content', 'files', 'tar', 'compression', 'archive'],
  convert: [...BASE, 'content', 'files', 'compression'],
  // One exchange over one connection: it knows no registry.
  http: BASE,
  registry: [...BASE, 'content', 'files', 'credentials', 'config', 'http'],
  // The heart of it: copying knows no particular store.
  copy: [...BASE, 'content'],
  server: [...BASE, 'content', 'files'],
  // Where an image can be, and opening it there: the first that knows every store.
  open: OPENING,
  // What the verbs do, on images that were opened.
  transfer: [...BASE, 'content', 'open', 'copy', 'convert', ...STORES, 'tags'],
  tags: [...BASE, 'content', 'open', 'copy', ...STORES],
  lookup: [...BASE, 'content', 'open', 'copy', 'compression', 'registry'],
  verify: [...BASE, 'content', 'open', 'copy', 'compression', 'archive', ...STORES, 'lookup'],
  export: [...BASE, 'content', 'open', 'copy', 'tar', 'compression', 'archive'],
  login: [...BASE, 'content', 'open', 'credentials', 'registry'],
  doctor: [...BASE, 'content', 'config', 'credentials', 'registry'],
  // Runs before anything else is loaded, and loads the rest.
  start: ['files'],
  // The command line is a user of the library like any other.
  cli: ['index.ts', 'server'],
}

interface Import {
  from: string
  to: string
}

const imports = sourceFiles(SRC).flatMap(importsOf)

describe('the architecture', () => {
  it('is read at all', () => {
    expect(imports.length).toBeGreaterThan(100)
    expect(imports.filter(({ from }) => from.startsWith('cli/')).length).toBeGreaterThan(5)
  })

  it('lets each folder import only what is below it', () => {
    const offending = imports.filter(({ from, to }) => {
      const [part, other] = [partOf(from), partOf(to)]
      const allowed = MAY_IMPORT[part]
      return allowed !== undefined && part !== other && !allowed.includes(other)
    })
    expect(offending.map(describeImport)).toEqual([])
  })

  it('has nothing at the top of the tree but what all use, and the public API', () => {
    const top = sourceFiles(SRC).filter(file => !file.includes('/'))
    expect(top.sort()).toEqual([...BASE, 'index.ts'].sort())
  })

  it('keeps the command line out of the library', () => {
    const offending = imports.filter(({ from, to }) => partOf(from) !== 'cli' && partOf(to) === 'cli')
    expect(offending.map(describeImport)).toEqual([])
  })

  it('lets the public API be imported by the command line alone', () => {
    const offending = imports.filter(({ from, to }) => to === 'index.ts' && partOf(from) !== 'cli')
    expect(offending.map(describeImport)).toEqual([])
  })

  it('has every folder in its rules', () => {
    const folders = readdirSync(SRC, { withFileTypes: true }).filter(entry => entry.isDirectory())
    const unknown = folders.map(folder => folder.name).filter(name => MAY_IMPORT[name] === undefined)
    expect(unknown).toEqual([])
  })

  it('keeps stores from knowing each other', () => {
    const offending = imports.filter(({ from, to }) => {
      const [part, other] = [partOf(from), partOf(to)]
      return STORES.includes(part) && STORES.includes(other) && part !== other
    })
    expect(offending.map(describeImport)).toEqual([])
  })

  it('has no file that only passes on what others export, but the published ones', () => {
    const published = ['index.ts', 'server/index.ts']
    const barrels = sourceFiles(SRC).filter(file => {
      const text = withoutComments(file)
      return /^export\b/m.test(text) && text.replace(PASSED_ON, '').trim() === ''
    })
    expect(barrels.filter(file => !published.includes(file))).toEqual([])
    expect(barrels).toContain('index.ts')
  })

  it('limits times by a Deadline, since those of AbortSignal may never come', () => {
    const offending = sourceFiles(SRC).filter(file => withoutComments(file).includes('AbortSignal.timeout'))
    expect(offending).toEqual([])
  })

  it('names every file and folder for what is in it', () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc|shared)(\/|\.ts$)|-utils?\b/
    expect(sourceFiles(SRC).filter(file => vague.test(file))).toEqual([])
  })
})

/** Paths relative to src, without tests. */
function sourceFiles(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map(path => path.replaceAll('\\', '/'))
    .filter(path => path.endsWith('.ts') && !path.endsWith('.test.ts'))
}

/** What a file imports from src, in each way in which that can be written. */
function importsOf(from: string): Import[] {
  const text = withoutComments(from)
  const statements = text.matchAll(/\b(?:import|export)\b[^'"`;=]*?\bfrom\s*['"](\.[^'"]+)['"]/g)
  const others = text.matchAll(/\bimport\s*\(?\s*['"](\.[^'"]+)['"]/g)
  return [...statements, ...others].map(([, path = '']) => {
    const to = relative(SRC, join(SRC, dirname(from), path)).replaceAll('\\', '/')
    return { from, to: to.replace(/\.js$/, '.ts') }
  })
}

/** Statements that import, or export what another file has. */
const PASSED_ON = /^(?:import|export)\b[^'"`;=]*?\bfrom\s*['"][^'"]+['"];?$/gm

function withoutComments(file: string): string {
  return readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '')
}

function partOf(path: string): string {
  return path.split('/')[0] ?? path
}

function describeImport({ from, to }: Import): string {
  return `${from} imports ${to}`
}
