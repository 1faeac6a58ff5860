import { join } from 'node:path'
import { expect, it } from 'vitest'
import { cleanEnvironment, run, START_FILE } from '../support/run.js'
import { temporaryFolder } from '../support/temporary-folder.js'
import { pushImage } from './pull-fixtures.js'
import { serve } from './serve-process.js'

/** Enough for Node, and too little for a memory of WebAssembly. */
const ADDRESSES_KB = 8_000_000

it.skipIf(process.platform !== 'linux')(
  'a process that may not have many addresses pulls, and says what it can’t do',
  async () => {
    await using home = await temporaryFolder()
    await using server = await serve(home.path)
    const reference = `${server.host}/app:1`
    await pushImage(home.path, { layers: [{ seed: 1, size: 9_000_000 }] }, reference)
    const pull = async (...parameters: string[]) => {
      const script = `ulimit -v ${ADDRESSES_KB}; exec "$@"`
      const command = [process.execPath, START_FILE, 'pull', reference, ...parameters, '--quiet']
      return await run('sh', ['-c', script, 'sh', ...command], { env: cleanEnvironment(home.path) })
    }
    const layout = await pull(join(home.path, 'layout'), '--format', 'oci')
    expect(layout).toMatchObject({ code: 0, stderr: '' })
    const archive = await pull(join(home.path, 'out.tar'), '--uncompressed')
    expect(archive.code).toBe(1)
    expect(archive.stderr).toContain(
      'error: the process may not have as many addresses as a compressor needs\n',
    )
    expect(archive.stderr).toContain('ulimit -v unlimited')
  },
)
