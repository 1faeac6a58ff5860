import { familiarName, isTag, parseReference } from '../index.js'

/** A name as Docker's tables show it. */
export interface ShownName {
  /** `<none>` for a name that is a tag alone. */
  repository: string
  tag: string
}

/** A name of an image in a file in two parts. What is neither a reference nor a tag stands where the repository would. */
export function imageName(name: string | undefined): ShownName {
  if (name === undefined) return { repository: '<none>', tag: '<none>' }
  if (isTag(name)) return { repository: '<none>', tag: name }
  try {
    const reference = parseReference(name)
    return { repository: familiarName(reference), tag: reference.tag ?? '<none>' }
  } catch {
    return { repository: name, tag: '<none>' }
  }
}
