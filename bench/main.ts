// Compares regctl with its peers. See `npm run bench -- --help`.
import { readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { describeMachine } from './machine.js'
import { formatReadme, withResults } from './readme.js'
import { addResults, type Results } from './results.js'
import { readResults, writeResults } from './results-folder.js'
import { runMemory, runWorkload } from './run.js'
import { measureStarts } from './starts.js'
import { formatResults } from './table.js'
import { findTools } from './tools.js'
import { workloads } from './workloads.js'

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    tools: { type: 'string' },
    runs: { type: 'string', default: '3' },
    size: { type: 'string', default: '1180' },
    blob: { type: 'string', default: '500' },
    large: { type: 'string', default: '5000' },
    node: { type: 'string', default: process.execPath },
    nodes: { type: 'string', default: `${process.execPath},24` },
    data: { type: 'string', default: join(tmpdir(), 'regctl-bench') },
    out: { type: 'string' },
    readme: { type: 'string' },
    help: { type: 'boolean', default: false },
  },
})

const README = fileURLToPath(new URL('../README.md', import.meta.url))
const options = { dataFolder: values.data, sizeMB: Number(values.size), blobMB: Number(values.blob) }
const compared = workloads(options)
const comparedIds = compared.flatMap(({ rows }) => rows.map(({ id }) => id))
const USUAL = [...comparedIds, 'startup', 'memory']
const ALL = [...USUAL, 'memory-large']

const HELP = `Compares regctl with crane, skopeo, oras and the Docker Engine, as far as they are installed, and shows which of its goals
are met. That takes about 20 minutes. .ci/fetch-peers fetches the first three; the Docker Engine is only started by root.

  --rows A,B      only these rows: ${USUAL.join(', ')}; or memory-large, which takes minutes and 20 GB of
                  the disk; or all
  --tools A,B     only these tools: regctl, crane, skopeo, oras, docker
  --runs N        how often each tool does each piece of work, in turns (3)
  --size MB       of the large image, uncompressed (1180)
  --blob MB       of the one large blob (500)
  --large MB      of the image of memory-large, uncompressed (5000)
  --node FILE     what runs regctl (this Node)
  --nodes A,B     what start-up is measured on: programs, or versions which npx gets (this Node, and 24)
  --data FOLDER   keeps the images that are made of this machine's files
  --out FOLDER    writes results.md and results.json there; rows that are there already and were not measured now stay
  --readme FOLDER measures nothing, and lets the README, and results.md there, show the results.json there
`

if (values.help) process.stdout.write(HELP)
else if (values.readme !== undefined) await updateReadme(values.readme)
else await main()

async function main(): Promise<void> {
  const wanted = new Set(values.rows === 'all' ? ALL : (values.rows?.split(',') ?? USUAL))
  const unknown = [...wanted].find(id => !ALL.includes(id))
  if (unknown !== undefined) throw new Error(`There is no row ${unknown}, but ${ALL.join(', ')}`)
  const tools = findTools(values.node, values.tools?.split(','))
  const none: Results = {
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(tools, values.node),
    sizeMB: options.sizeMB,
    blobMB: options.blobMB,
    rows: [],
    starts: [],
    memory: [],
  }
  let results = values.out === undefined ? none : ((await readResults(values.out)) ?? none)
  // What was measured is kept at once: whatever ends the rest, an hour is not lost.
  const keep = async (measured: Partial<Results>) => {
    results = addResults(results, { ...none, ...measured }, comparedIds)
    if (values.out !== undefined) await writeResults(values.out, results)
  }
  for (const workload of compared) {
    await keep({ rows: await runWorkload(workload, tools, wanted, Number(values.runs)) })
  }
  if (wanted.has('startup')) {
    await keep({ starts: await measureStarts(values.nodes.split(','), tools, values.data) })
  }
  const regctl = tools.find(({ name }) => name === 'regctl')
  if (regctl) await keep({ memory: await runMemory(regctl, wanted, options, Number(values.large)) })
  process.stdout.write(formatResults(results))
}

async function updateReadme(folder: string): Promise<void> {
  const results = await readResults(folder)
  if (results === undefined) throw new Error(`There are no results in ${folder}`)
  await writeResults(folder, results)
  await writeFile(README, withResults(await readFile(README, 'utf8'), formatReadme(results, folder)))
}
