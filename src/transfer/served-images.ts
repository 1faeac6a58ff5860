import { basename } from 'node:path'
import type { ImageFile } from '../content/image-file.js'
import { isRepositoryName, isTag, parseReference } from '../content/reference.js'
import type { Source } from '../content/store.js'

/** An image of a local file under the name by which a registry shows it. */
export interface NamedImage {
  repository: string
  /** Undefined when it is known by its digest alone. */
  tag?: string
  /** What to ask `source.getManifest` for. */
  root: string
  source: Source
}

/**
 * The names by which a registry shows the images of a file: their own without a host; for images that have just a tag,
 * or nothing, the file's name is the repository.
 */
export function servedImages(file: ImageFile): NamedImage[] {
  const repository = repositoryFromFile(file.label)
  return file.images.flatMap(({ names, root, source }) => {
    if (names.length === 0) {
      return [{ repository, root, source, ...(file.images.length === 1 && { tag: 'latest' }) }]
    }
    return names.map(name => ({ ...placeName(name, repository), root, source }))
  })
}

function placeName(name: string, repository: string): { repository: string; tag?: string } {
  if (isTag(name)) return { repository, tag: name }
  try {
    const reference = parseReference(name)
    // The part before Docker Hub's default namespace is not what anybody typed.
    const path =
      reference.registry === 'docker.io'
        ? reference.repository.replace(/^library\//, '')
        : reference.repository
    return { repository: path, tag: reference.tag ?? 'latest' }
  } catch {
    return { repository }
  }
}

function repositoryFromFile(label: string): string {
  const name = basename(label)
    .toLowerCase()
    .replace(/(?:\.oci|\.docker)?(?:\.tar(?:\.[a-z0-9]+)?|\.tgz)?$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, '')
  return isRepositoryName(name) ? name : 'image'
}
