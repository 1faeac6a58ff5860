import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cannotRun } from './tools.js'

/** One image of a docker-archive, as it must arrive. */
export interface ExpectedDockerImage {
  /** The image ID. */
  config: string
  tags: readonly string[]
  diff_ids: readonly string[]
  platform: string
}

/** What a layout holds. */
export interface ExpectedLayout {
  roots: readonly {
    digest: string
    ref: string | null
    image_name: string | null
    mt: string
    platform: string | null
  }[]
  manifests: number
  indexes: number
  layers: number
  /** Digests that are named but not there. */
  absent: readonly string[]
  platforms: readonly string[]
}

/** What is known of one file or folder of the collection. */
export interface ExpectedImage {
  producer: string
  note: string
  docker?: readonly ExpectedDockerImage[]
  oci?: ExpectedLayout
  /** What skopeo calls `dir:`. */
  dir?: { digest: string; mt: string; layers: number }
  outer_compression?: string
  /** The other files with the very same content. */
  same_as?: unknown
  /** The tools that took it with these digests. */
  taken_by?: readonly string[]
  /** For the broken ones: the class of the error, `ok` when it must be taken all the same. */
  error?: string
}

/** An entry of the collection with its place. */
export interface TestImage {
  /** Relative to the collection: `docker28-one.tar`, `broken/dir-flipped`. */
  name: string
  path: string
  expected: ExpectedImage
}

/** The collection of images made by real tools, which stands beside the checkout. */
export const IMAGES_FOLDER = fileURLToPath(new URL('../../../shared/images/', import.meta.url))

/** Why tests that need the collection can't run; undefined when they can. As `missingTool` does, it prints the reason. */
export function missingImages(): string | undefined {
  return existsSync(join(IMAGES_FOLDER, 'expected.json'))
    ? undefined
    : cannotRun('there is no collection of images beside the checkout')
}

/** Where an image of the collection is. It is read in place and never changed. */
export function imagePath(name: string): string {
  return join(IMAGES_FOLDER, name)
}

/** What is expected of an image of the collection. */
export function expectedOf(name: string): ExpectedImage {
  const expected = readExpected()[name]
  if (expected === undefined) throw new Error(`expected.json says nothing about ${name}`)
  return expected
}

/** Every image that is well made; none when there is no collection. */
export function validImages(): TestImage[] {
  return listImages().filter(image => image.expected.error === undefined)
}

/** Every input that is broken on purpose, or only looks so (`error: 'ok'`). */
export function brokenImages(): TestImage[] {
  return listImages().filter(image => image.expected.error !== undefined)
}

function listImages(): TestImage[] {
  return Object.entries(readExpected()).map(([name, expected]) => ({ name, path: imagePath(name), expected }))
}

let cached: Record<string, ExpectedImage> | undefined
function readExpected(): Record<string, ExpectedImage> {
  const path = join(IMAGES_FOLDER, 'expected.json')
  cached ??= existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, ExpectedImage>) : {}
  return cached
}
