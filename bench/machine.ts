import { execFileSync } from 'node:child_process'
import { cpus, release, totalmem, type } from 'node:os'
import type { Tool } from './tools.js'

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
  const versions: Record<string, string> = { node: firstLine(node, ['--version']) }
  for (const { name, program, parametersFor } of tools) {
    // The start file comes first in what regctl is run with.
    const start = name === 'regctl' ? (parametersFor('copy', '', '')?.slice(0, 1) ?? []) : []
    const ask = name === 'skopeo' || name === 'regctl' ? '--version' : 'version'
    versions[name] = firstLine(program, [...start, ask])
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

function firstLine(program: string, parameters: readonly string[]): string {
  try {
    const text = execFileSync(program, parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    return /\d+\.\d+(\.\d+)?/.exec(text)?.[0] ?? 'unknown'
  } catch {
    return 'unknown'
  }
}
