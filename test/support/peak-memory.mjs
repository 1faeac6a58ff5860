// Loaded into a process by `node --import`: writes its peak resident memory, in KiB, to the file PEAK_MEMORY_FILE.
import { writeFileSync } from 'node:fs'

process.on('exit', () => {
  const file = process.env.PEAK_MEMORY_FILE
  if (file !== undefined) writeFileSync(file, String(process.resourceUsage().maxRSS))
})
