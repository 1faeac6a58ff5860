import { join } from 'node:path'
import type { Platform } from '../../src/content/descriptor.js'
import {
  type BuiltImage,
  buildImage,
  buildIndex,
  type ImageOptions,
  writeLayout,
} from '../support/image-builder.js'
import { regctl } from '../support/run.js'

export const AMD: Platform = { os: 'linux', architecture: 'amd64' }
export const ARM: Platform = { os: 'linux', architecture: 'arm64' }

/** A two-platform index in a layout, and its images. */
export interface PushedIndex {
  /** Of the index. */
  digest: string
  /** For amd64 and for arm64. */
  images: readonly [BuiltImage, BuiltImage]
  layout: string
}

/** Pushes an index of two platforms, whose images have a layer in common. */
export async function pushIndex(folder: string, ...references: string[]): Promise<PushedIndex> {
  const shared = { seed: 2, size: 50_000 }
  const images = [
    await buildImage({ platform: AMD, layers: [{ a: 'amd\n' }, shared] }),
    await buildImage({ platform: ARM, layers: [{ a: 'arm\n' }, shared] }),
  ] as const
  const manifests = images.map(({ manifest }) => manifest)
  const index = buildIndex(manifests.map((manifest, at) => ({ manifest, platform: at === 0 ? AMD : ARM })))
  const blobs = new Map(images.flatMap(image => [...image.blobs]))
  const layout = join(folder, 'layout')
  await writeLayout(layout, [{ manifest: index, tag: '1' }], blobs, manifests)
  await push(layout, ...references)
  return { digest: index.descriptor.digest, images, layout }
}

/** Pushes one image under several names. */
export async function pushImage(
  folder: string,
  options: ImageOptions,
  ...references: string[]
): Promise<BuiltImage> {
  const image = await buildImage(options)
  const layout = join(
    folder,
    `image-${image.config.digest.slice(-12)}-${image.manifest.descriptor.digest.slice(-12)}`,
  )
  await writeLayout(layout, [{ manifest: image.manifest, tag: '1' }], image.blobs)
  await push(layout, ...references)
  return image
}

async function push(layout: string, ...references: string[]): Promise<void> {
  const { code, stderr } = await regctl('push', layout, ...references)
  if (code !== 0) throw new Error(`the push failed: ${stderr}`)
}
