import { expect, it } from 'vitest'
import { NO_RESULTS, sampleTrial } from './sample-results.js'
import { formatResults } from './table.js'

const start = { tool: 'regctl', node: '20.18.1', command: '--version', isFirst: true, wallMs: 30, cpuMs: 44 }
const text = formatResults({
  ...NO_RESULTS,
  rows: [
    {
      id: 'push-archive',
      title: 'push an archive',
      trials: {
        docker: [sampleTrial(20, { loadSeconds: 12.25 })],
        regctl: [sampleTrial(3), sampleTrial(5)],
        skopeo: [sampleTrial(8)],
      },
    },
    { id: 'push-pipe', title: 'from a pipe', trials: { regctl: [sampleTrial(5, { diskMB: 250 })] } },
  ],
  starts: [
    start,
    { ...start, tool: 'node', command: 'an empty file', isFirst: false, wallMs: 20, cpuMs: 22 },
  ],
  memory: [
    { id: 'copy', title: 'copy', sizeMB: 1000, peakMB: 99.6 },
    { id: 'copy', title: 'copy', sizeMB: 5000, peakMB: undefined },
  ],
})

it('has a line for each row: medians of each tool, and the ratio to the fastest peer', () => {
  expect(text).toContain('medians of 1 to 2 runs in turns')
  expect(text).toContain('| work | regctl | skopeo | docker | ratio |\n| --- | ---: | ---: | ---: | ---: |\n')
  expect(text).toContain(
    '| push an archive | **4.00** / 2.00 / 100 / 7 / 300 | **8.00** / 4.00 / 100 / 7 / 300 | **20.00** / 10.00 / 100 / 7 / 300 | 0.50 |\n',
  )
  expect(text).toContain('| from a pipe | **5.00** / 2.50 / 100 / 7 / 300 | – | – | – |\n')
})

it('says what the cells leave out', () => {
  expect(text).toContain('Before docker can push an archive it loads it, which took 12.25 s more.')
  expect(text).toContain('regctl had 250 MB in files of its own at most')
})

it('gives start-up in times of Node, and memory by size', () => {
  expect(text).toContain('| regctl --version | first | 20.18.1 | 30 | 1.50 | 44 | 2.00 |\n')
  expect(text).toContain('| work | 1000 MB | 5000 MB |\n| --- | ---: | ---: |\n| copy | 100 | – |\n')
})

it('ends with what is reached, what is not, and what nobody measured', () => {
  expect(text).toContain("| push a docker-archive: time, in times of skopeo's | at most 0.7 | 0.50 | yes |\n")
  expect(text).toContain(
    '| the same, if compression is the best that can be had | at most 0.4 | 0.50 | no |\n',
  )
  expect(text).toContain('| push 60 tiny layers: requests | at most 130 | – | not measured |\n')
})
