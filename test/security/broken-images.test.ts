import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createContext } from '../../src/content/context.js'
import type { Context } from '../../src/content/store.js'
import { copy } from '../../src/copy/copy.js'
import { type ErrorKind, RegctlError } from '../../src/errors.js'
import { exportImage } from '../../src/export/export-image.js'
import { LayoutStore } from '../../src/layout/layout-store.js'
import { inspect } from '../../src/lookup/inspect.js'
import { listImages } from '../../src/lookup/list-images.js'
import { selectImage } from '../../src/open/image-selection.js'
import { parseLocalLocator } from '../../src/open/location.js'
import { openImageFile } from '../../src/open/open-image-file.js'
import { verifyRoots } from '../../src/verify/verify-roots.js'
import { brokenImages, imagePath, missingImages, type TestImage } from '../support/images.js'
import { readPeakMemory, withPeakMemory } from '../support/peak-memory.js'
import { regctlWith } from '../support/run.js'
import { type TemporaryFolder, temporaryFolder } from '../support/temporary-folder.js'

/** How something ended: `ok`, or the error. */
type Outcome = RegctlError | 'ok'

/** What each class may show as: a tool that looks elsewhere first finds something else that is wrong. */
const ALIKE: Partial<Record<string, readonly string[]>> = {
  'too-deep': ['too-deep', 'too-large'],
  unsafe: ['unsafe-path', 'unsafe-link'],
}

/** Exit codes 6, 3 and 2: the file is broken, or there is nothing in it, or it is no image at all. */
const KINDS: readonly ErrorKind[] = ['corrupt', 'not-found', 'usage']

let folder: TemporaryFolder
beforeAll(async () => {
  folder = await temporaryFolder()
})
afterAll(() => folder[Symbol.asyncDispose]())

async function outcomeOf(use: (context: Context) => Promise<unknown>): Promise<Outcome> {
  try {
    await use(createContext())
    return 'ok'
  } catch (error) {
    // Anything else is a fault of ours.
    if (!(error instanceof RegctlError)) throw error
    return error
  }
}

async function withImage(path: string, context: Context, use: Parameters<typeof useFile>[1]) {
  const locator = await parseLocalLocator(path)
  await using file = await openImageFile(locator, context, { stdin: process.stdin })
  await useFile(file, use)
}

async function useFile(
  file: Awaited<ReturnType<typeof openImageFile>>,
  use: (
    image: ReturnType<typeof selectImage>,
    file: Awaited<ReturnType<typeof openImageFile>>,
  ) => Promise<unknown>,
) {
  await use(selectImage(file), file)
}

/** Everything that is done with an image on disk, each with the file as it is. */
function usesOf({ path }: TestImage, target: string): Record<string, (context: Context) => Promise<unknown>> {
  return {
    images: context =>
      withImage(path, context, async (_image, file) => {
        for await (const listed of listImages(file, context)) expect(listed.names).toBeInstanceOf(Array)
      }),
    inspect: context => withImage(path, context, image => inspect(image, context)),
    verify: context =>
      withImage(path, context, async ({ source, root }) => {
        const problems: string[] = []
        const tell = ({ type, message }: { type: string; message: string }) =>
          type === 'problem' && problems.push(message)
        await verifyRoots([{ source, root, label: '' }], context, { full: true, tell })
        for (const problem of problems) expect(problem).toMatch(ONE_LINE)
      }),
    copy: context =>
      withImage(path, context, async ({ source, root }) => {
        const sink = await LayoutStore.open(join(target, 'layout'), { create: true, keepUntagged: false })
        const { targets } = await copy(source, root, [{ sink, tags: ['1'] }], context)
        await sink[Symbol.asyncDispose]()
        if (targets[0]?.error !== undefined) throw targets[0].error
      }),
    export: context =>
      withImage(path, context, image => exportImage(image, { output: join(target, 'rootfs.tar') }, context)),
  }
}

const ONE_LINE = /^[^\x00-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]{1,1000}$/
/** These take their time, and are run as a command below. */
const BOMBS = /^broken\/(?:bomb-|huge-)/

describe.skipIf(missingImages() !== undefined)('a broken image', () => {
  const images = brokenImages().filter(({ name }) => !BOMBS.test(name))

  test.each(images.map(image => [image.name, image] as const))(
    '%s is refused for what is wrong with it, and leaves nothing (R223, R224)',
    async (name, image) => {
      const place = join(folder.path, name.replace(/\W/g, '-'))
      const outcomes = new Map<string, Outcome>()
      for (const [use, run] of Object.entries(usesOf(image, place))) outcomes.set(use, await outcomeOf(run))

      for (const [use, outcome] of outcomes) {
        if (outcome === 'ok') continue
        expect(outcome.message, use).toMatch(ONE_LINE)
        expect(KINDS, use).toContain(outcome.kind)
      }
      const allowed = (image.expected.error ?? '').split('-or-').flatMap(code => ALIKE[code] ?? [code])
      const copied = outcomes.get('copy')
      const code = copied === undefined || copied === 'ok' ? copied : copied.code
      expect([...allowed, ...(allowed.includes('ignored') ? ['ok'] : [])]).toContain(code)
      await expectNothingHalf(place, outcomes)
    },
  )

  /** The target has what was asked for, or nothing; beside it there is nothing at all. */
  async function expectNothingHalf(place: string, outcomes: ReadonlyMap<string, Outcome>) {
    const names: string[] = await readdir(place).catch(() => [])
    expect(names.filter(entry => entry !== 'layout' && entry !== 'rootfs.tar')).toEqual([])
    expect(names.includes('rootfs.tar')).toBe(outcomes.get('export') === 'ok')
    const index = await readFile(join(place, 'layout/index.json'), 'utf8').catch(() => '{"manifests":[]}')
    expect(JSON.parse(index).manifests).toHaveLength(outcomes.get('copy') === 'ok' ? 1 : 0)
  }

  test.each(images.map(image => [image.name, image] as const))(
    '%s comes with a hint',
    async (_name, image) => {
      const outcome = await outcomeOf(context => withImage(image.path, context, async () => {}))
      if (outcome !== 'ok') expect(outcome.hint).toMatch(/^[A-Z].{20,150}$/)
    },
  )
})

/** What a command makes of the worst of them: the exit code it must have, and its error. */
const NASTIEST: [string, string[], number, RegExp | undefined][] = [
  ['bomb-layer.oci.tar.gz', ['verify', 'IMAGE', '--full'], 0, undefined],
  [
    'bomb-archive.tar.xz',
    ['images', 'IMAGE'],
    6,
    /expands from \d+ to more than \d+ bytes, which no image does/,
  ],
  [
    'huge-manifest-json.tar.gz',
    ['push', 'IMAGE', '127.0.0.1:1/a'],
    6,
    /manifest\.json .*has \d+ bytes, more than/,
  ],
  ['gnu-longname-huge.tar', ['export', 'IMAGE', 'OUT'], 6, /ends too early/],
  ['pax-header-huge.tar', ['copy', 'IMAGE', 'oci:OUT:1'], 6, /ends too early/],
  ['nested-billion.tar', ['copy', 'IMAGE', 'oci:OUT:1'], 6, /nested deeper than 8 indexes/],
]

describe.skipIf(missingImages() !== undefined)('a command', () => {
  test.each(NASTIEST)('on %s: %j ends with %d, in little memory', async (name, parameters, code, message) => {
    await using own = await temporaryFolder()
    const output = join(own.path, 'out')
    const words = parameters.map(word =>
      word.replace('IMAGE', imagePath(`broken/${name}`)).replace('OUT', output),
    )
    const env = {
      PATH: process.env.PATH ?? '',
      HOME: own.path,
      TMPDIR: own.path,
      ...withPeakMemory(own.path),
    }
    const result = await regctlWith({ env, timeoutMs: 100_000 }, ...words)
    expect(result.code, result.stderr).toBe(code)
    if (message !== undefined) {
      expect(result.stderr).toMatch(message)
      expect(result.stderr).toMatch(/^error: [^\n]+\n(?:hint: [^\n]+\n)?$/)
    }
    expect(readPeakMemory(own.path)).toBeLessThan(250)
    const left = (await readdir(own.path)).filter(
      entry => !['peak-memory', '.cache', '.config'].includes(entry),
    )
    expect(left).toEqual([])
  })
})
