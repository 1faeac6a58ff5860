import { execFileSync } from 'node:child_process'

/** The first version in what a program writes; undefined when there is none. */
export function versionOf(program: string, parameters: readonly string[]): string | undefined {
  try {
    const text = execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return firstVersion(text)
  } catch {
    return undefined
  }
}

/** The first version in a text, without what a distribution adds to it. */
export function firstVersion(text: string): string | undefined {
  return /\d+\.\d+(\.\d+)?/.exec(text)?.[0]
}
