import type { Platform } from '../content/descriptor.js'
import type { ImageEntry } from '../content/image-file.js'
import { parseJsonObject } from '../content/manifest.js'
import { formatPlatform, matchesPlatform } from '../content/platform.js'
import type { Context } from '../content/store.js'
import { platformRoot } from '../copy/platform-root.js'
import { DockerArchiveSource } from '../docker-archive/docker-archive-source.js'
import { RegctlError } from '../errors.js'
import { selectImage } from '../open/image-selection.js'
import type { Locator } from '../open/location.js'
import { openImageFile } from '../open/open-image-file.js'
import { openSource, type SourceOptions } from '../open/open-source.js'
import type { NamedRoot } from './compare-images.js'

/** Images that were opened together. */
export interface OpenedImages extends AsyncDisposable {
  /** At least one. `label` tells those of one file apart; it is empty where there is just one. */
  roots: readonly [NamedRoot, ...NamedRoot[]]
}

/**
 * Opens what a locator names, to look at it: one image or, with `all`, every image of a file where none is chosen.
 *
 * @throws RegctlError when it is not there or is no image; ImageSelectionError when several are there without `all`
 */
export async function openImages(
  locator: Locator,
  context: Context,
  options: SourceOptions & { all: boolean; platform?: Platform | undefined },
): Promise<OpenedImages> {
  if (locator.kind === 'registry') {
    const { source, root, ...opened } = await openSource(locator, context, options)
    return { roots: [{ source, root, label: '' }], [Symbol.asyncDispose]: opened[Symbol.asyncDispose] }
  }
  const file = await openImageFile(locator, context, options)
  try {
    const selector = options.image ?? (locator.kind === 'file' ? locator.image : undefined)
    const hasSeveral = options.all && selector === undefined && file.images.length > 1
    const { platform } = options
    const nameRoot = async ({ source, root }: ImageEntry, label: string): Promise<NamedRoot> => {
      if (platform === undefined) return { source, root, label }
      if (source instanceof DockerArchiveSource) {
        await requirePlatform(source, platform)
        return { source, root, label }
      }
      return { ...(await platformRoot({ source, root }, platform, context)), label }
    }
    const [first, ...others] = hasSeveral ? file.images : []
    const roots = [
      await nameRoot(first ?? selectImage(file, selector), first === undefined ? '' : nameOf(first, 0)),
    ] as [NamedRoot, ...NamedRoot[]]
    for (const [position, image] of others.entries())
      roots.push(await nameRoot(image, nameOf(image, position + 1)))
    return { roots, [Symbol.asyncDispose]: () => file[Symbol.asyncDispose]() }
  } catch (error) {
    await file[Symbol.asyncDispose]()
    throw error
  }
}

/** An archive's image has one platform, and no index: nothing is compressed to see which. */
async function requirePlatform(source: DockerArchiveSource, wanted: Platform): Promise<void> {
  const { os, architecture, variant } = parseJsonObject((await source.imageConfig()).bytes, source.label)
  if (typeof os !== 'string' || typeof architecture !== 'string' || os === '') return
  const platform = { os, architecture, ...(typeof variant === 'string' && variant !== '' && { variant }) }
  if (matchesPlatform(platform, wanted)) return
  throw new RegctlError(`${source.label} has no image for ${formatPlatform(wanted)}`, {
    kind: 'not-found',
    code: 'no-such-platform',
    hint: `It has ${formatPlatform(platform)}`,
  })
}

function nameOf({ names }: ImageEntry, position: number): string {
  return names[0] ?? `#${position + 1}`
}
