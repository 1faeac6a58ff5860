import { cpus, release, totalmem, type } from 'node:os'
import type { Tool } from './tools.js'
import { versionOf } from './versions.js'

/** What results depend on. */
export interface Machine {
  system: string
  processor: string
  cores: number
  memoryGB: number
  /** The version of each tool, by its name; `node` is what regctl ran on. */
  versions: Record<string, string>
}

/** Describes this machine and what was compared on it. @param node that runs regctl */
export function describeMachine(tools: readonly Tool[], node: string): Machine {
  const versions: Record<string, string> = { node: versionOf(node, ['--version']) ?? 'unknown' }
  for (const { name, launch, askVersion, version } of tools) {
    const [program, ...first] = launch
    versions[name] = version ?? versionOf(program, [...first, ...askVersion]) ?? 'unknown'
  }
  const [{ model = '' } = {}] = cpus()
  return {
    system: `${type()} ${release()}`,
    processor: model.trim(),
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 1e9),
    versions,
  }
}
