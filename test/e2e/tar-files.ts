import { readFile, writeFile } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { extract, pack } from 'tar-stream'

/** Reads the regular files of a small plain tar. */
export async function readTar(path: string): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>()
  for await (const entry of Readable.from([await readFile(path)]).pipe(extract())) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    if (entry.header.type === 'file') files.set(entry.header.name, Buffer.concat(chunks))
  }
  return files
}

/** Writes files into a plain tar. */
export async function writeTar(path: string, files: ReadonlyMap<string, Buffer>): Promise<void> {
  const tar = pack()
  for (const [name, bytes] of files) tar.entry({ name, mtime: new Date(0) }, bytes)
  tar.finalize()
  const chunks: Buffer[] = []
  for await (const chunk of tar) chunks.push(chunk as Buffer)
  await writeFile(path, Buffer.concat(chunks))
}
