import type { Context } from '../content/store.js'
import { InterruptedError } from '../errors.js'
import type { RegistryClient } from '../registry/client.js'
import { RegistryError } from '../registry/registry-error.js'
import { deleteTagByReplacing } from './delete-by-replacing.js'
import {
  DeleteError,
  type Deletion,
  deletionName,
  digestReference,
  findDeletion,
  notFound,
  type TagsOfDigest,
  tagsOfDigest,
} from './deletion.js'

/** What {@link deleteImages} takes besides the names. */
export interface DeleteOptions {
  client: RegistryClient
  /**
   * Asked before each deletion; false keeps it. With a digest it is told the tags that go too, which are looked up for
   * that. Default: nobody is asked, and no tags are looked up.
   */
  confirm?: ((deletion: Deletion, tags: TagsOfDigest | undefined) => Promise<boolean>) | undefined
  /** Where the registry deletes no tags, put the tag on an image made for this and delete that. Default false. */
  byReplacing?: boolean | undefined
  /** Only look. Default false. */
  dryRun?: boolean | undefined
}

/** What became of one thing to delete. */
export interface DeleteResult {
  /** As it was given. */
  text: string
  /** Undefined when it was not found. */
  deletion: Deletion | undefined
  /** The tags that went (with `dryRun`: would go) with a digest; undefined when they were not looked up. */
  tags: TagsOfDigest | undefined
  /** `kept`: it was not confirmed. With `dryRun`, `deleted` is what would be. */
  state: 'deleted' | 'kept' | 'failed'
  error: unknown
}

/**
 * Deletes tags and manifests, one after the other: a tag goes alone (rule R87), a manifest with every tag that stands for
 * it (rule R86). One that fails does not stop the others.
 *
 * @param texts references with a tag or a digest, or layouts with a name, of which nothing but the name goes
 * @throws InterruptedError when the signal is aborted
 */
export async function deleteImages(
  texts: readonly string[],
  context: Context,
  options: DeleteOptions,
): Promise<DeleteResult[]> {
  const results: DeleteResult[] = []
  for (const text of texts) {
    const result: DeleteResult = {
      text,
      deletion: undefined,
      tags: undefined,
      state: 'failed',
      error: undefined,
    }
    results.push(result)
    try {
      await deleteOne(result, context, options)
    } catch (error) {
      if (context.signal.aborted) throw new InterruptedError(undefined, error)
      result.error = error
    }
  }
  return results
}

async function deleteOne(
  result: DeleteResult,
  context: Context,
  { client, confirm, byReplacing, dryRun }: DeleteOptions,
): Promise<void> {
  const deletion = await findDeletion(result.text, context, client)
  result.deletion = deletion
  const saysTags = dryRun === true || confirm !== undefined
  if (deletion.tag === undefined && saysTags) result.tags = await tagsOfDigest(deletion, context)
  const isWanted = confirm === undefined || dryRun === true || (await confirm(deletion, result.tags))
  if (isWanted && dryRun !== true) await execute(deletion, context, byReplacing ?? false)
  result.state = isWanted ? 'deleted' : 'kept'
}

async function execute(deletion: Deletion, context: Context, byReplacing: boolean): Promise<void> {
  const { store, tag, digest, text } = deletion
  if (tag === undefined) {
    if (!(await store.deleteManifest(digest, context))) throw notFound(text)
    return
  }
  try {
    if (!(await store.deleteTag(tag, context))) throw notFound(text)
  } catch (error) {
    if (!(error instanceof RegistryError) || error.code !== 'deletes-no-tags') throw error
    if (!byReplacing) throw await noTagsDeleted(deletion, error, context)
    await deleteTagByReplacing(store, tag, await store.getManifest(digest, context), context)
  }
}

/** Says what else can be done, and what that would take along. */
async function noTagsDeleted(
  deletion: Deletion,
  cause: RegistryError,
  context: Context,
): Promise<DeleteError> {
  const { tags, isComplete } = await tagsOfDigest(deletion, context)
  const others = tags.filter(tag => tag !== deletion.tag)
  const more = isComplete ? '' : ', and perhaps more'
  const along = others.length === 0 && isComplete ? 'no other tag' : `${others.join(', ')}${more}`
  return new DeleteError(
    `${deletionName(deletion)} stays: the registry deletes no tags (it answered ${cause.status})`,
    {
      kind: 'failed',
      code: 'deletes-no-tags',
      hint:
        '`--by-replacing` deletes the tag by a detour over an image made for it; ' +
        `\`regctl delete ${digestReference(deletion)}\` deletes the image, and takes along: ${along}`,
      cause,
    },
  )
}
