// Compares regctl with its peers. See `npm run bench -- --help`.
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.js'
import { formatResults, type Results, type Row } from './table.js'
import { findTools, type Tool } from './tools.js'
import { type BenchOptions, type Trial, type Workload, workloads } from './workloads.js'

const HELP = `Compares regctl with crane, skopeo and oras, as far as they are installed (.ci/fetch-peers fetches them).

  --rows A,B      only these rows: ${workloads.map(({ id }) => id).join(', ')}
  --tools A,B     only these tools: regctl, crane, skopeo, oras
  --runs N        how often each tool does each piece of work, in turns (3)
  --size MB       of the large image, uncompressed (1180)
  --blob MB       of the one large blob (500)
  --node FILE     what runs regctl (this Node)
  --data FOLDER   keeps the images that are made of this machine's files
  --out FOLDER    writes results.md and results.json there
`

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    tools: { type: 'string' },
    runs: { type: 'string', default: '3' },
    size: { type: 'string', default: '1180' },
    blob: { type: 'string', default: '500' },
    node: { type: 'string', default: process.execPath },
    data: { type: 'string', default: join(tmpdir(), 'regctl-bench') },
    out: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})
if (values.help) process.stdout.write(HELP)
else await main()

async function main(): Promise<void> {
  const options = { dataFolder: values.data, sizeMB: Number(values.size), blobMB: Number(values.blob) }
  const tools = findTools(values.node, values.tools?.split(','))
  const chosen = values.rows?.split(',')
  const rows: Row[] = []
  for (const workload of workloads.filter(({ id }) => chosen?.includes(id) ?? true)) {
    rows.push(await runRow(workload, tools, options, Number(values.runs)))
  }
  const results: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(tools, values.node),
    sizeMB: options.sizeMB,
    blobMB: options.blobMB,
    rows,
  }
  const table = formatResults(results)
  process.stdout.write(table)
  if (values.out === undefined) return
  await mkdir(values.out, { recursive: true })
  await writeFile(join(values.out, 'results.md'), table)
  await writeFile(join(values.out, 'results.json'), `${JSON.stringify(results, undefined, 2)}\n`)
}

/** The tools take turns, so that a busy moment of the machine hits all of them alike. */
async function runRow(
  workload: Workload,
  tools: readonly Tool[],
  options: BenchOptions,
  runs: number,
): Promise<Row> {
  const { id, title } = workload
  const trials: Record<string, Trial[]> = {}
  for (let round = 0; round < runs; round++) {
    for (const tool of tools.filter(one => workload.suits(one))) {
      const trial = await workload.run(tool, options)
      process.stderr.write(`${id} ${tool.name}: ${trial.seconds.toFixed(2)} s\n`)
      const known = trials[tool.name] ?? []
      known.push(trial)
      trials[tool.name] = known
    }
  }
  return { id, title, trials }
}
