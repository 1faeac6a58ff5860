import type { Results } from './results.js'
import type { Trial } from './trial.js'

/** Results for tests: what is the same in all of them, and nothing measured. */
export const NO_RESULTS: Results = {
  date: '2026-01-31',
  machine: {
    system: 'Linux 6.1',
    processor: 'Some Processor',
    cores: 2,
    memoryGB: 8,
    versions: { node: '20.18.1', regctl: '0.1.0', crane: '0.20.7', skopeo: '1.22.0', docker: '28.2.2' },
  },
  sizeMB: 1000,
  blobMB: 500,
  rows: [],
  starts: [],
  memory: [],
}

/** A trial of so many seconds. */
export function sampleTrial(seconds: number, more: Partial<Trial> = {}): Trial {
  return { seconds, cpuSeconds: seconds / 2, peakMB: 100, requests: 7, storedMB: 300, ...more }
}
