import type { ImageEntry, ImageFile } from '../content/image-file.js'
import { formatReference, isTag, parseReference, tagOrDigest } from '../content/reference.js'
import { RegctlError } from '../errors.js'

/** No image of a file is meant, or more than one. */
export class ImageSelectionError extends RegctlError {}

/**
 * Picks one image of a file.
 *
 * @param selector `NAME[:TAG]`, `@sha256:…` (manifest or image ID) or `#N` (from 1); undefined when the file should have just one
 * @throws ImageSelectionError that lists what is there
 */
export function selectImage(file: ImageFile, selector?: string): ImageEntry {
  if (file.images.length === 0) {
    throw new ImageSelectionError(`${file.label} holds no images`, {
      kind: 'not-found',
      code: 'nothing-to-push',
      hint: 'It was written without an image in it: save it again, and name the image',
    })
  }
  const matching = selector === undefined ? file.images : imagesNamed(file, selector)
  const [image, ...others] = matching
  if (image === undefined) {
    throw new ImageSelectionError(`${file.label} holds no image ${selector}`, {
      kind: 'not-found',
      code: 'no-such-image',
      hint: `It holds ${listImages(file)}`,
    })
  }
  if (others.length > 0) {
    const count =
      selector === undefined ? `${file.images.length} images` : `${matching.length} images ${selector}`
    throw new ImageSelectionError(`${file.label} holds ${count}`, {
      kind: 'usage',
      code: 'several-images',
      hint: `Choose one with \`--image\`: ${listImages(file)}`,
    })
  }
  return image
}

/** In a layout, where a tag alone is a name, it also finds the full references that end with it (rule R186). */
function imagesNamed({ images, format }: ImageFile, selector: string): readonly ImageEntry[] {
  const exact = images.filter((image, position) => matches(image, position, selector))
  if (exact.length > 0 || format !== 'oci-layout' || !isTag(selector)) return exact
  return images.filter(({ names }) => names.some(name => name.endsWith(`:${selector}`)))
}

function matches(image: ImageEntry, position: number, selector: string): boolean {
  if (selector.startsWith('#')) return selector === `#${position + 1}`
  if (selector.startsWith('@')) return [image.digest, image.configDigest].includes(selector.slice(1) as never)
  return image.names.some(name => name === selector || sameReference(name, selector))
}

function sameReference(name: string, selector: string): boolean {
  const normal = (text: string) => {
    const reference = parseReference(text)
    return formatReference({ ...reference, tag: tagOrDigest(reference) })
  }
  try {
    return normal(name) === normal(selector)
  } catch {
    return false
  }
}

/** The images of a file for a message: `#1 acme/app:1.0, #2 (no name) sha256:…`. */
function listImages(file: ImageFile): string {
  return file.images
    .map((image, position) => {
      const id = image.digest ?? image.configDigest
      const name = image.names.length > 0 ? image.names.join(' = ') : `@${id ?? '(broken)'}`
      return `#${position + 1} ${name}`
    })
    .join(', ')
}
