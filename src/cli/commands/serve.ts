import { join } from 'node:path'
import { Args, Flags } from '@oclif/core'
import {
  createContext,
  LayoutCollection,
  MemoryCollection,
  openImageFile,
  parseLocalLocator,
  RegctlError,
  type RepositoryCollection,
  servedImages,
} from '../../index.js'
import { createRegistryServer } from '../../server/server.js'
import { SourceCollection } from '../../server/source-collection.js'
import { BaseCommand, commonFlags } from '../base-command.js'
import { openServeAccess, serveAccessFlags } from '../serve-access.js'
import { openServeTls, serveTlsFlags, trustText } from '../serve-tls.js'

/** How long what runs may go on after Ctrl-C; the process ends after two seconds in any case. */
const GRACE_MS = 1500

export default class Serve extends BaseCommand {
  static override summary = 'Run a registry on this machine'

  static override description =
    `Without a source it takes pushes: into memory, or with --data into a folder that survives a restart (an OCI layout
for each repository). With a source it shows the images of that file or folder, read-only.

With --tls self-signed it speaks HTTPS, and says how to trust the certificate that it makes. The authority that signs
the certificate is made once and kept, so it has to be trusted only once.`

  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    '<%= config.bin %> <%= command.id %> --address 127.0.0.1:5000 --data ./registry',
    '<%= config.bin %> <%= command.id %> image.tar',
  ]

  static override args = {
    source: Args.string({ description: 'image file or folder to show', required: false }),
  }

  static override flags = {
    ...commonFlags,
    address: Flags.string({
      default: '127.0.0.1:5000',
      helpValue: 'HOST:PORT',
      description: 'Where to listen; port 0 takes a free one',
    }),
    data: Flags.string({
      helpValue: 'FOLDER',
      description: 'Keep everything in this folder',
      exclusive: ['source'],
    }),
    'read-only': Flags.boolean({ description: 'Refuse every change' }),
    ...serveAccessFlags,
    ...serveTlsFlags,
    'allow-missing-blobs': Flags.boolean({
      description: 'Take image manifests whose config or layers are not there (sparse images)',
    }),
    quiet: Flags.boolean({ char: 'q', description: 'Log no requests' }),
  }

  async run(): Promise<void> {
    const { args, flags } = await this.parse(Serve)
    const { host, port } = parseAddress(flags.address)
    await using repositories = await this.#openRepositories(args.source, flags.data)
    const tls = await openServeTls(flags, host)
    await using server = createRegistryServer({
      repositories,
      readOnly: flags['read-only'] || args.source !== undefined,
      ...(await openServeAccess(flags)),
      tls,
      allowMissingBlobs: flags['allow-missing-blobs'],
      // Beside the data, so that a finished upload moves within one file system. No repository can be called that.
      uploadDirectory: flags.data === undefined ? undefined : join(flags.data, '_uploads'),
      log: flags.quiet ? undefined : line => process.stderr.write(`${line}\n`),
    })
    const listening = await server.listen(host, port)
    const address = `${listening.host.includes(':') ? `[${listening.host}]` : listening.host}:${listening.port}`
    const caFile = tls?.authorityFile
    if (caFile !== undefined && !flags.quiet) process.stderr.write(trustText(address, caFile))
    if (flags.json)
      this.printJson({ address, tls: tls !== undefined, ...(caFile !== undefined && { caFile }) })
    else process.stdout.write(`Serving on ${tls === undefined ? 'http' : 'https'}://${address}\n`)
    await new Promise(resolve => this.interruption.signal.addEventListener('abort', resolve, { once: true }))
    await server.close({ graceMs: GRACE_MS })
  }

  async #openRepositories(
    source: string | undefined,
    data: string | undefined,
  ): Promise<RepositoryCollection> {
    if (source !== undefined) {
      const locator = await parseLocalLocator(source)
      const context = createContext({
        signal: this.interruption.signal,
        emit: event => this.warnAbout(event),
      })
      const file = await openImageFile(locator, context, { stdin: process.stdin })
      return withDisposal(new SourceCollection(servedImages(file)), file)
    }
    return data === undefined ? new MemoryCollection() : await LayoutCollection.open(data)
  }
}

/** A collection that disposes of the file it shows. */
function withDisposal(collection: SourceCollection, file: AsyncDisposable): RepositoryCollection {
  return {
    find: name => collection.find(name),
    create: name => collection.create(name),
    listNames: options => collection.listNames(options),
    [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
  }
}

function parseAddress(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):([0-9]{1,5})$/.exec(text)
  const port = Number(match?.[3])
  if (match === null || port > 65_535) {
    throw new RegctlError(`"${text}" is not an address`, {
      kind: 'usage',
      code: 'bad-address',
      hint: 'Write HOST:PORT, as in 127.0.0.1:5000',
    })
  }
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : (match[2] as string)), port }
}
