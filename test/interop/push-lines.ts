/** What a push says on standard output, in the form that `docker push` gave it. */
export interface PushLines {
  /** The first line. */
  header: string
  /** The layers as they are announced: the top layer first, one that repeats each time. */
  prepared: readonly string[]
  /** What became of each layer, by the first twelve digits of its diffID. */
  outcomes: Readonly<Record<string, string>>
  /** The last line, with its digest and its number of bytes taken out. */
  trailer: string
  digest: string
  /** Of the manifest, in bytes. */
  size: number
}

const TRAILER = /^(\S+): digest: (sha256:[0-9a-f]{64}) size: (\d+)$/
const LAYER = /^([0-9a-f]{12}): (.+)$/

/**
 * Reads the output of a push.
 *
 * Docker's `Waiting` lines are left out: a sixth layer and those after it wait for one of Docker's five uploads, and
 * whether it gets round to saying so is a matter of time.
 *
 * @throws Error when a line has another form than those that `docker push` writes, or a layer has two outcomes
 */
export function parsePushLines(stdout: string): PushLines {
  // A reference without a tag is told first.
  const [header = '', ...lines] = stdout.replace(/^Using default tag: latest\n|\n$/g, '').split('\n')
  const [, tag = '', digest = '', size = ''] = TRAILER.exec(lines.pop() ?? '') ?? wrong(stdout)
  const prepared: string[] = []
  const outcomes: Record<string, string> = {}
  for (const line of lines) {
    const [, layer = '', words = ''] = LAYER.exec(line) ?? wrong(stdout)
    if (words === 'Waiting') continue
    if (words === 'Preparing') prepared.push(layer)
    else if (outcomes[layer] === undefined) outcomes[layer] = words
    else wrong(stdout)
  }
  return {
    header,
    prepared,
    outcomes,
    trailer: `${tag}: digest: <digest> size: <size>`,
    digest,
    size: Number(size),
  }
}

function wrong(stdout: string): never {
  throw new Error(`this is not what docker push writes:\n${stdout}`)
}
