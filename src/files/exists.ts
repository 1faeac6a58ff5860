import { stat } from 'node:fs/promises'

/** Whether something is at a path, where a link counts as what it leads to. What can't be looked at counts as absent. */
export async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  )
}
