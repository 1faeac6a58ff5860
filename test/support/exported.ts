import { Readable } from 'node:stream'
import { extract, type Header } from 'tar-stream'
import { createContext } from '../../src/content/context.js'
import type { Digest } from '../../src/content/digest.js'
import type { Source } from '../../src/content/store.js'
import { openExport } from '../../src/export/open-export.js'
import type { BuiltImage } from './image-builder.js'
import { imageOf } from './raw-layers.js'

/** An entry of a tar, as another reader than ours sees it. */
export interface ExportedEntry {
  header: Header
  content: string
}

/** A source of one image that notes which blobs are opened. */
export function sourceOf(image: BuiltImage): Source & { opened: Digest[] } {
  const opened: Digest[] = []
  return {
    label: 'test',
    opened,
    getManifest: async () => image.manifest,
    openBlob: async ({ digest }) => {
      opened.push(digest)
      return Readable.from([image.blobs.get(digest) ?? Buffer.alloc(0)], { objectMode: false })
    },
    listReferrers: async () => [],
    [Symbol.asyncDispose]: async () => {},
  }
}

/** The bytes that an export of an image gives. */
export async function exportedBytes(source: Source, path?: string): Promise<Buffer> {
  await using opened = await openExport(source, 'root', path, createContext())
  const chunks: Buffer[] = []
  for await (const chunk of opened.chunks()) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The entries of what an export of these layers gives, in their order. */
export async function exportedEntries(layers: readonly Buffer[], path?: string): Promise<ExportedEntry[]> {
  const reader = extract()
  Readable.from([await exportedBytes(sourceOf(imageOf(layers)), path)]).pipe(reader)
  const entries: ExportedEntry[] = []
  for await (const entry of reader) {
    const chunks: Buffer[] = []
    for await (const chunk of entry) chunks.push(chunk as Buffer)
    entries.push({ header: entry.header, content: `${Buffer.concat(chunks)}` })
  }
  return entries
}

/** Each entry in a line: its name, then its content, or `-> ` and where it leads. */
export async function exportedLines(layers: readonly Buffer[], path?: string): Promise<string[]> {
  const entries = await exportedEntries(layers, path)
  return entries.map(({ header, content }) => {
    const link = header.type === 'link' ? '=> ' : '-> '
    const rest = header.linkname ? `${link}${header.linkname}` : content
    return rest === '' ? header.name : `${header.name} ${rest}`
  })
}
