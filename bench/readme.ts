import { startsOf } from './goals.js'
import { middle, type Results } from './results.js'
import { fixed, formatMemory, formatTable, loadNote, runsIn, toolsIn } from './table.js'

/**
 * What the README has of some results: so its figures are none but those of the command that it names.
 *
 * @param folder where the results are, as the README links to it
 */
export function formatReadme(results: Results, folder: string): string {
  return `${[transfers(results, folder), starts(results), memory(results)].filter(Boolean).join('\n\n')}\n`
}

/** The README with other results. @throws Error when it has no section for them */
export function withResults(readme: string, results: string): string {
  const section = /(?<=\n## How fast it is\n\n).*?(?=\n## )/s
  if (!section.test(readme)) throw new Error('The README has no section "How fast it is"')
  return readme.replace(section, () => results)
}

function transfers(results: Results, folder: string): string {
  const { machine, rows, sizeMB } = results
  const tools = toolsIn(results)
  const heads = tools.map(tool =>
    tool === 'regctl' ? tool : `${tool} ${shortVersion(machine.versions[tool])}`,
  )
  const lines = rows.map(({ title, trials }) => [
    title,
    ...tools.map(tool =>
      fixed(
        middle(trials[tool], ({ seconds }) => seconds),
        2,
      ),
    ),
  ])
  return [
    `Seconds of wall clock on ${machine.cores} cores with Node ${machine.versions.node}, registries on the same machine, medians of ${runsIn(results)} runs in turns, by`,
    `\`npm run bench -- --rows all\`. [CPU time, memory, requests, bytes and goals](${folder}/results.md) are kept beside. The image has`,
    [`${sizeMB} MB uncompressed.`, ...loadNote(results)].join(' '),
    '',
    formatTable(['work', ...heads], lines),
  ].join('\n')
}

function starts(results: Results): string | undefined {
  const nodes = results.starts.flatMap(({ tool, node }) =>
    tool === 'node' && node !== undefined ? [node] : [],
  )
  if (nodes.length === 0) return undefined
  const line = (title: string, command: string, isFirst: boolean) => {
    const all = startsOf(results, isFirst, command)
    const cells = nodes.map(version => {
      const found = all.find(({ node }) => node.node === version)
      if (found === undefined) return fixed(undefined, 2)
      const { regctl, node } = found
      return `${fixed(regctl.wallMs / node.wallMs, 2)} / ${fixed(regctl.cpuMs / node.cpuMs, 2)}`
    })
    return [title, ...cells]
  }
  return [
    'Start-up in times of what the same Node takes for an empty file, wall clock / CPU time, by `npm run bench -- --rows startup`:',
    '',
    formatTable(
      ['command', ...nodes.map(version => `Node ${version}`)],
      [
        line('`regctl --version`', '--version', false),
        line('`regctl digest` of an image in a registry', 'digest', false),
        line('`regctl --version`, the first time ever', '--version', true),
      ],
    ),
  ].join('\n')
}

function memory(results: Results): string | undefined {
  if (results.memory.length === 0) return undefined
  return [
    'Memory of regctl at most, in MB, by the size of the image, by `npm run bench -- --rows memory,memory-large`:',
    '',
    formatMemory(results),
  ].join('\n')
}

function shortVersion(version = ''): string {
  return version.split('.').slice(0, 2).join('.')
}
