import { type DeleteResult, type Deletion, deletionName, printable, type TagsOfDigest } from '../index.js'
import { describeError } from './report-error.js'

/** What is asked before something is deleted. */
export function deleteQuestion(deletion: Deletion, tags: TagsOfDigest | undefined): string {
  const name = deletionName(deletion)
  return deletion.tag === undefined
    ? `Delete ${name}${withTags(tags, ', and with it')}?`
    : `Delete the tag ${name}?`
}

/** A line for each thing that is gone or was kept; what failed is for the caller to tell. */
export function deletedLines(results: readonly DeleteResult[], dryRun: boolean): string {
  return results.map(result => lineOf(result, dryRun)).join('')
}

function lineOf({ deletion, tags, state }: DeleteResult, dryRun: boolean): string {
  if (deletion === undefined || state === 'failed') return ''
  const name = deletionName(deletion)
  if (state === 'kept') return `${printable(`Kept: ${name}`)}\n`
  const [done, would] = deletion.tag === undefined ? ['Deleted', 'delete'] : ['Untagged', 'untag']
  const verb = dryRun ? `Would ${would}` : done
  const rest = deletion.isLocal && deletion.tag !== undefined ? ` (its blobs stay in ${deletion.place})` : ''
  return `${printable(`${verb}: ${name}${rest}${withTags(tags, ', with')}`)}\n`
}

function withTags(found: TagsOfDigest | undefined, beginning: string): string {
  if (found === undefined) return ''
  const { tags, isComplete } = found
  const noun = tags.length === 1 ? 'the tag' : 'the tags'
  const known = tags.length === 0 ? 'no tag' : `${noun} ${tags.join(', ')}`
  return `${beginning} ${known}${isComplete ? '' : ' of the first 100'}`
}

/** The document of `--json`. */
export function deleteDocument(results: readonly DeleteResult[], dryRun: boolean): object {
  return {
    dryRun,
    results: results.map(({ text, deletion, tags, state, error }) => ({
      reference: text,
      ...(deletion !== undefined && {
        place: deletion.place,
        ...(deletion.tag !== undefined && { tag: deletion.tag }),
        digest: deletion.digest,
      }),
      ...(tags !== undefined && { tags: tags.tags, allTags: tags.isComplete }),
      state,
      ...(state === 'failed' && { error: describeError(error) }),
    })),
  }
}
