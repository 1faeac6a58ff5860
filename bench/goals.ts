import { LINE_BYTES_PER_SECOND } from './line.js'
import { middle, type Results } from './results.js'
import type { StartRow } from './starts.js'
import type { Trial } from './trial.js'

/** What regctl wants to reach. */
export interface Goal {
  /** What is looked at, with its unit. */
  title: string
  /** A figure which is at least, or at most, this one. */
  atMost?: number
  atLeast?: number
  digits: number
  /** The figure in a run of the benchmark; undefined where that doesn't have what it needs. */
  figureIn(results: Results): number | undefined
}

const seconds = (trial: Trial) => trial.seconds
const requests = (trial: Trial) => trial.requests
/** Pushes that compress. */
const COMPRESSING = ['push-archive', 'push-pipe']
/** Reads an image, but moves none. */
const EXPORT = 'export'

/** Every goal, in the order in which they are shown. */
export const GOALS: readonly Goal[] = [
  toSkopeo("push a docker-archive: time, in times of skopeo's", 0.7, 'push-archive', seconds),
  toSkopeo('the same, if compression is the best that can be had', 0.4, 'push-archive', seconds),
  toSkopeo(
    "push a docker-archive: bytes stored, in times of skopeo's",
    1.05,
    'push-archive',
    t => t.storedMB,
  ),
  {
    title: "the same push again: time, in times of skopeo's for a push that it doesn't know",
    atMost: 0.05,
    digits: 3,
    figureIn: ({ rows }) =>
      ratio(figure(rows, 'push-again', 'regctl', seconds), figure(rows, 'push-archive', 'skopeo', seconds)),
  },
  own('the same push again: requests of uploads', 0, 'push-again', trial => trial.uploadRequests, 0),
  toFastest('push an OCI layout', 1.15, 'push-layout'),
  toFastest('pull to an OCI layout', 1.15, 'pull-layout'),
  toFastest('copy between two registries', 1.15, 'copy'),
  toSkopeo("pull to a plain docker-archive: time, in times of skopeo's", 0.4, 'pull-plain', seconds),
  {
    title: 'push 60 tiny layers at 50 ms: seconds after start-up',
    atMost: 1,
    digits: 2,
    figureIn: results => {
      const whole = figure(results.rows, 'tiny-push', 'regctl', seconds)
      const start = startsOf(results, false, '--version').find(
        ({ regctl }) => regctl.node === results.machine.versions.node,
      )
      return whole && whole - (start?.regctl.wallMs ?? 0) / 1000
    },
  },
  own('push 60 tiny layers: requests', 130, 'tiny-push', requests, 0),
  own('pull 60 tiny layers at 50 ms: seconds', 0.8, 'tiny-pull', seconds),
  own('copy 60 tiny layers between registries at 50 ms: seconds', 1.5, 'tiny-copy', seconds),
  {
    title: 'pull a large blob over a long line: time of one connection, in times of regctl',
    atLeast: 3,
    digits: 2,
    figureIn: ({ rows, blobMB }) =>
      ratio((blobMB * 1e6) / LINE_BYTES_PER_SECOND, figure(rows, 'long-line', 'regctl', seconds)),
  },
  toNode('`--version`, from the second run on', 1.3, false, '--version'),
  toNode('`digest` against a local registry, from the second run on', 1.8, false, 'digest'),
  toNode('`--version`, the first run', 2.5, true, '--version'),
  toNode('`digest` against a local registry, the first run', 2.5, true, 'digest'),
  memory('push with compression', 250, id => COMPRESSING.includes(id)),
  memory('any other push, pull or copy', 150, id => ![...COMPRESSING, EXPORT].includes(id)),
  {
    title: 'push from a pipe: time, in times of a push from a file',
    atMost: 1.1,
    digits: 2,
    figureIn: ({ rows }) =>
      ratio(figure(rows, 'push-pipe', 'regctl', seconds), figure(rows, 'push-archive', 'regctl', seconds)),
  },
  {
    title: 'push from a pipe: disk used meanwhile, in times of what is stored',
    atMost: 1,
    digits: 2,
    figureIn: ({ rows }) =>
      ratio(
        figure(rows, 'push-pipe', 'regctl', ({ diskMB }) => diskMB),
        figure(rows, 'push-pipe', 'regctl', ({ storedMB }) => storedMB),
      ),
  },
]

/** Whether a figure, as precisely as it is shown, reaches a goal. */
export function isMet({ atMost, atLeast, digits }: Goal, figure: number): boolean {
  const shown = Number(figure.toFixed(digits))
  return shown <= (atMost ?? Number.POSITIVE_INFINITY) && shown >= (atLeast ?? Number.NEGATIVE_INFINITY)
}

/** The time of regctl to that of the fastest peer; undefined where no peer does it. */
export function ratioToFastest({ trials }: Results['rows'][number]): number | undefined {
  const peers = Object.keys(trials).filter(tool => tool !== 'regctl')
  const times = peers.flatMap(tool => middle(trials[tool], seconds) ?? [])
  return times.length === 0 ? undefined : ratio(middle(trials.regctl, seconds), Math.min(...times))
}

/** Each start of regctl with that of the Node that ran it. */
export function startsOf(
  { starts }: Results,
  isFirst: boolean,
  command: string,
): { regctl: StartRow; node: StartRow }[] {
  const own = starts.filter(
    row => row.tool === 'regctl' && row.isFirst === isFirst && row.command === command,
  )
  return own.flatMap(regctl => {
    const node = starts.find(row => row.tool === 'node' && row.node === regctl.node)
    return node === undefined ? [] : [{ regctl, node }]
  })
}

function own(
  title: string,
  atMost: number,
  row: string,
  of: (trial: Trial) => number | undefined,
  digits = 2,
): Goal {
  return { title, atMost, digits, figureIn: ({ rows }) => figure(rows, row, 'regctl', of) }
}

function toSkopeo(
  title: string,
  atMost: number,
  row: string,
  of: (trial: Trial) => number | undefined,
): Goal {
  const figureIn: Goal['figureIn'] = ({ rows }) =>
    ratio(figure(rows, row, 'regctl', of), figure(rows, row, 'skopeo', of))
  return { title, atMost, digits: 2, figureIn }
}

function toFastest(title: string, atMost: number, id: string): Goal {
  return {
    title: `${title}: time, in times of the fastest peer`,
    atMost,
    digits: 2,
    figureIn: ({ rows }) => rows.filter(row => row.id === id).map(ratioToFastest)[0],
  }
}

/** The worst of all Nodes, of wall clock and CPU time. */
function toNode(title: string, atMost: number, isFirst: boolean, command: string): Goal {
  return {
    title: `${title}: wall clock or CPU time, in times of Node's own`,
    atMost,
    digits: 2,
    figureIn: results =>
      worst(
        startsOf(results, isFirst, command).flatMap(({ regctl, node }) => [
          regctl.wallMs / node.wallMs,
          regctl.cpuMs / node.cpuMs,
        ]),
      ),
  }
}

/** The worst of all sizes. */
function memory(title: string, atMost: number, includes: (id: string) => boolean): Goal {
  return {
    title: `${title}: MB of memory at most`,
    atMost,
    digits: 0,
    figureIn: results =>
      worst(results.memory.filter(({ id }) => includes(id)).flatMap(({ peakMB }) => peakMB ?? [])),
  }
}

function figure(
  rows: Results['rows'],
  id: string,
  tool: string,
  of: (trial: Trial) => number | undefined,
): number | undefined {
  return middle(rows.find(row => row.id === id)?.trials[tool], of)
}

function ratio(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? undefined : one / other
}

function worst(figures: readonly number[]): number | undefined {
  return figures.length === 0 ? undefined : Math.max(...figures)
}
