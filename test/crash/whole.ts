import { readdir, readFile, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createContext } from '../../src/content/context.js'
import { type Digest, digestOf } from '../../src/content/digest.js'
import { anonymous } from '../../src/credentials/credential-store.js'
import { RegctlError } from '../../src/errors.js'
import { parseLocator } from '../../src/open/location.js'
import { RegistryClient } from '../../src/registry/client.js'
import { openImages } from '../../src/verify/open-images.js'
import { verifyRoots } from '../../src/verify/verify-roots.js'

/**
 * Reads an image to its last byte and checks all of it.
 *
 * @param locator as on the command line
 * @returns the digest of its manifest; undefined when there is no such image
 * @throws Error with all that is wrong with it
 */
export async function digestIfWhole(locator: string): Promise<Digest | undefined> {
  const context = createContext()
  await using client = new RegistryClient({ credentials: anonymous })
  const problems: string[] = []
  try {
    const options = { client, stdin: process.stdin, all: false }
    await using images = await openImages(await parseLocator(locator, 'registry'), context, options)
    const tell = (finding: { type: string; message?: string }) => {
      if (finding.type === 'problem') problems.push(finding.message ?? '')
    }
    const { blobs } = await verifyRoots(images.roots, context, { full: true, tell })
    if (problems.length > 0 || blobs === 0) throw new Error(`${locator} is broken: ${problems.join('; ')}`)
    const [{ source, root }] = images.roots
    return (await source.getManifest(root, context)).descriptor.digest
  } catch (error) {
    if (error instanceof RegctlError && (await isAbsent(locator, error))) return undefined
    throw error
  }
}

/** A layout without an index.json has no image yet, nor has a folder that was made for one; a file would be broken. */
async function isAbsent(locator: string, { kind, code }: RegctlError): Promise<boolean> {
  if (kind === 'not-found' || code === 'missing-index') return true
  return code === 'not-an-image' && (await stat(locator)).isDirectory()
}

/** The files below a folder that are named by a digest (or whose folder is), and whose content is something else. */
export async function brokenBlobs(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])
  const broken: string[] = []
  for (const { parentPath, name } of entries.filter(entry => entry.isFile())) {
    const hex = name === 'data' ? basename(parentPath) : name
    if (!/^[0-9a-f]{64}$/.test(hex)) continue
    const path = join(parentPath, name)
    if (digestOf(await readFile(path)) !== `sha256:${hex}`) broken.push(path)
  }
  return broken
}
