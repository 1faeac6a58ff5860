import { Args, Flags, type Interfaces } from '@oclif/core'
import {
  type CopyEvent,
  cacheFolder,
  createContext,
  type Digest,
  type ImageFile,
  type ImagePush,
  openImageFile,
  type PushResult,
  parseLocalLocator,
  parseReference,
  planPush,
  planPushAll,
  push,
  pushAhead,
  RegctlError,
  standardInput,
} from '../../index.js'
import { BaseCommand, commonFlags, progressFlags, registryFlags } from '../base-command.js'
import { writeDigestFile } from '../digest-file.js'
import { EXIT_CODES } from '../exit-codes.js'
import {
  cacheFlags,
  compressionFlag,
  fileFlags,
  parseDigestOption,
  platformFlag,
  transferFlags,
  uploadFlags,
} from '../image-flags.js'
import { chooseMode, type ProgressMode } from '../progress/renderer.js'
import { PushDisplay } from '../push-display.js'
import { describeError, printError } from '../report-error.js'

export default class Push extends BaseCommand {
  static override hiddenAliases = ['image:push']

  static override summary = 'Push a local image to a registry'

  static override description =
    `SOURCE is a file, a folder or - for standard input; its format is found by looking inside. REF follows Docker's rules
for names. Several are served in one run: the source is read once and each registry gets the bytes once. Of a single image
that comes through standard input, layers are sent while the rest still comes.`

  static override examples = [
    '<%= config.bin %> <%= command.id %> image.tar localhost:5000/ubuntu:latest',
    '<%= config.bin %> <%= command.id %> image.tar localhost:5000/app:1.0 localhost:5000/app:latest',
    '<%= config.bin %> <%= command.id %> images.tar localhost:5000/mirror --all',
    'docker save ubuntu | <%= config.bin %> <%= command.id %> - localhost:5000/ubuntu',
  ]

  static override usage = '<%= command.id %> SOURCE REF... [FLAGS]'

  static override strict = false

  static override args = {
    source: Args.string({ description: 'image file or folder, or - for standard input', required: true }),
    ref: Args.string({ description: 'reference to push to; several are possible', required: true }),
  }

  static override flags = {
    ...commonFlags,
    ...transferFlags,
    ...uploadFlags,
    ...fileFlags,
    ...cacheFlags,
    ...progressFlags,
    ...registryFlags,
    all: Flags.boolean({
      description: 'Push every image of the file, under its own name below REF',
      exclusive: ['image'],
    }),
    platform: platformFlag({ description: "Push this platform's image instead of the whole index" }),
    compression: compressionFlag({ description: 'How layers are compressed (default: auto)' }),
    format: Flags.option({
      options: ['docker', 'oci'] as const,
      description: 'Which kind of manifest is pushed',
    })(),
    strict: Flags.boolean({
      description: 'Refuse an index of which the file lacks a part, instead of leaving it out',
    }),
    'trust-config': Flags.boolean({
      description: 'Take a config of a docker-archive whose bytes are not those that its name says',
    }),
    recheck: Flags.boolean({ description: 'Look for each blob although the manifest is there' }),
    'dry-run': Flags.boolean({ description: 'Say what would be sent, and send nothing' }),
    'expect-digest': Flags.string({
      helpValue: 'DIGEST',
      description: 'Refuse to push anything else',
      exclusive: ['all'],
    }),
    'digest-file': Flags.string({
      helpValue: 'FILE',
      description: 'Write the digest to a file',
      exclusive: ['all'],
    }),
  }

  protected override readonly whenRepeated = 'it goes on where this one stopped'

  async run(): Promise<void> {
    const { argv, flags } = await this.parse(Push)
    const [source = '', ...references] = argv as string[]
    const expected =
      flags['expect-digest'] === undefined
        ? undefined
        : parseDigestOption(flags['expect-digest'], '--expect-digest')
    const locator = await parseLocalLocator(source)
    if (locator.kind === 'stdio' && flags['password-stdin']) {
      throw new RegctlError('standard input is both the image and the password', {
        kind: 'usage',
        code: 'stdin-twice',
      })
    }
    let display: PushDisplay | undefined
    const emit = (event: CopyEvent) => (display === undefined ? this.warnAbout(event) : display.event(event))
    const context = createContext({ signal: this.interruption.signal, emit })
    const { compression, format } = flags
    const conversion = { ...(compression && { compression }), ...(format && { format }) }

    const image = flags.image ?? (locator.kind === 'file' ? locator.image : undefined)
    const selection = {
      conversion,
      strict: flags.strict,
      dryRun: flags['dry-run'],
      recheck: flags.recheck,
      ...(image !== undefined && { image }),
      ...(flags.platform && { platform: flags.platform }),
      ...(flags.jobs !== undefined && { jobs: flags.jobs }),
    }

    await using client = await this.openClient(flags)
    const isPiped = locator.kind === 'stdio' && !flags.all
    await using ahead = isPiped ? pushAhead(references, client, context, selection) : undefined
    await using file = await openImageFile(locator, context, {
      // The stream is made when it is asked for.
      get stdin() {
        return standardInput()
      },
      arrived: ahead?.arrived,
      trustConfig: flags['trust-config'],
      ...(!flags['no-cache'] && { cacheFolder: cacheFolder({ environment: process.env }) }),
      ...conversion,
    })
    const { pushes, digest } = planPushes(file, references, flags.all, image)
    const mode = this.#mode(flags)
    const isBare = references
      .map(parseReference)
      .some(({ tag, digest }) => tag === undefined && digest === undefined)
    if (isBare && !flags.all && (mode === 'plain' || mode === 'tty'))
      process.stdout.write('Using default tag: latest\n')
    const results: PushResult[] = []
    for (const planned of pushes) {
      display = new PushDisplay(planned, mode, process, flags['dry-run'])
      try {
        const ended = await push(planned, client, context, {
          ...selection,
          ahead,
          expectDigest: expected ?? digest,
        })
        display.end(ended)
        results.push(...ended)
      } finally {
        display.abandon()
      }
    }
    await this.#finish(results, flags)
  }

  #mode(flags: PushFlags): ProgressMode {
    if (flags.progress === 'auto' && (flags.quiet || flags.json)) return 'quiet'
    return chooseMode(flags.progress, { isTTY: process.stdout.isTTY === true, env: process.env })
  }

  async #finish(results: readonly PushResult[], flags: PushFlags): Promise<void> {
    const failed = results.find(result => result.error !== undefined)
    const pushed = results.find(result => result.error === undefined && result.root !== undefined)
    if (flags['digest-file'] !== undefined && pushed?.root !== undefined) {
      await writeDigestFile(flags['digest-file'], [pushed.root.digest], this.interruption.signal)
    }
    if (flags.json) this.printJson({ targets: results.map(resultDocument) })
    else if (flags.quiet) {
      for (const { error, root, target } of results) {
        if (error === undefined && root !== undefined)
          process.stdout.write(`${target.repository}@${root.digest}\n`)
      }
    }
    if (failed === undefined) return
    const { interrupted } = this
    process.exitCode = EXIT_CODES[describeError(failed.error, interrupted).kind]
    if (flags.json) return
    // What is wrong with the image is wrong for each of its targets, and told once.
    for (const error of new Set(results.map(result => result.error))) {
      if (error !== undefined) printError(error, { debug: flags.debug, interrupted })
    }
  }
}

type PushFlags = Interfaces.InferredFlags<typeof Push.flags>

function planPushes(
  file: ImageFile,
  references: readonly string[],
  all: boolean,
  image: string | undefined,
): { pushes: ImagePush[]; digest: Digest | undefined } {
  if (!all) {
    const { push: planned, digest } = planPush(file, references, image === undefined ? {} : { image })
    return { pushes: [planned], digest }
  }
  const [prefix = '', ...others] = references
  if (others.length > 0) {
    throw new RegctlError('`--all` takes one REF, below which the images get their own names', {
      kind: 'usage',
      code: 'several-prefixes',
    })
  }
  return { pushes: planPushAll(file, prefix), digest: undefined }
}

function resultDocument({ target, root, error, copied, mounted, exists, skipped, bytes }: PushResult) {
  return {
    repository: target.repository,
    tags: target.tags,
    ...(root !== undefined && { mediaType: root.mediaType, digest: root.digest, size: root.size }),
    blobs: { copied, mounted, exists, skipped },
    bytes,
    ...(error !== undefined && { error: describeError(error) }),
  }
}
