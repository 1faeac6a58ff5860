import { describe, expect, it } from 'vitest'
import { type CopyEvent, type Descriptor, type Digest, digestOf, MediaType } from '../../index.js'
import { createRenderer, type RendererOptions } from './renderer.js'
import { pushedLine, pushHeader } from './words.js'

const [a, b, c] = ['a', 'b', 'c'].map(name => digestOf(Buffer.from(name))) as [Digest, Digest, Digest]
const short = (digest: Digest) => digest.slice(7, 19)

describe('the plain renderer', () => {
  it('lists the top layer first, repeats included, and says once what became of each, as docker push', () => {
    const { lines } = show([
      { type: 'layers', layers: [{ diffID: a }, { diffID: b }, { diffID: a }] },
      { type: 'layer-ready', diffID: b, descriptor: blob('b.gz') },
      { type: 'layer-ready', diffID: a, descriptor: blob('a.gz') },
      done('b.gz', 'copied'),
      done('config', 'copied'),
      done('a.gz', 'exists'),
    ])
    expect(lines).toEqual([
      `${short(a)}: Preparing`,
      `${short(b)}: Preparing`,
      `${short(a)}: Preparing`,
      `${short(b)}: Pushed`,
      `${short(a)}: Layer already exists`,
    ])
  })

  it('knows layers that need no compressing by their digest', () => {
    const digest = blob('a.gz').digest
    const { lines } = show([{ type: 'layers', layers: [{ diffID: a, digest }] }, done('a.gz', 'copied')])
    expect(lines.at(-1)).toBe(`${short(a)}: Pushed`)
  })

  it('names a layer by its digest when the config tells no diffID', () => {
    const digest = blob('a.gz').digest
    const { lines } = show([{ type: 'layers', layers: [{ digest }] }, done('a.gz', 'copied')])
    expect(lines).toEqual([`${short(digest)}: Preparing`, `${short(digest)}: Pushed`])
  })

  it('says where a layer was mounted from, without the host', () => {
    const layers = { type: 'layers', layers: [{ diffID: a, digest: blob('x').digest }] } as const
    const mounted = (from?: string) => show([layers, done('x', 'mounted', from)]).lines.at(-1)
    expect(mounted('docker.io/library/ubuntu')).toBe(`${short(a)}: Mounted from library/ubuntu`)
    expect(mounted('localhost/app')).toBe(`${short(a)}: Mounted from app`)
    expect(mounted('team/app')).toBe(`${short(a)}: Mounted from team/app`)
    expect(mounted()).toBe(`${short(a)}: Mounted from another repository`)
  })

  it('tells of a shared layer again for the next image', () => {
    const layers = { type: 'layers', layers: [{ diffID: a, digest: blob('x').digest }] } as const
    const { lines } = show([layers, done('x', 'copied'), layers, done('x', 'exists')])
    expect(lines).toEqual(
      ['Preparing', 'Pushed', 'Preparing', 'Layer already exists'].map(words => `${short(a)}: ${words}`),
    )
  })

  it('does not say that something was pushed in a dry run', () => {
    const layers = { type: 'layers', layers: [{ diffID: a, digest: blob('x').digest }] } as const
    expect(show([layers, done('x', 'copied')], { dryRun: true }).lines.at(-1)).toBe(
      `${short(a)}: Would be pushed`,
    )
  })

  it('speaks of a pull as docker does: the base first, by digest, each layer once', () => {
    const [x, y, z] = [blob('x').digest, blob('y').digest, blob('z').digest]
    const layers = [
      { diffID: a, digest: x },
      { diffID: b, digest: y },
      { diffID: a, digest: x },
      { diffID: c, digest: z },
    ]
    const { lines } = show(
      [
        { type: 'layers', layers },
        done('z', 'copied'),
        done('y', 'copied'),
        done('x', 'exists'),
        { type: 'manifest-done', target: 'r/one', descriptor: blob('m'), tags: [], result: 'copied' },
      ],
      { words: 'pull' },
    )
    expect(lines).toEqual([
      `${short(x)}: Pulling fs layer`,
      `${short(y)}: Pulling fs layer`,
      `${short(z)}: Pulling fs layer`,
      `${short(z)}: Download complete`,
      `${short(y)}: Download complete`,
      `${short(x)}: Already exists`,
      `${short(y)}: Pull complete`,
      `${short(z)}: Pull complete`,
    ])
  })

  it('shows only its target, and keeps the lines of a further target together', () => {
    const layers = { type: 'layers', layers: [{ diffID: c, digest: blob('x').digest }] } as const
    const events = [layers, done('x', 'exists', undefined, 'r/two'), done('x', 'copied')]
    expect(show(events, { target: 'r/one' }).lines).toEqual([`${short(c)}: Preparing`, `${short(c)}: Pushed`])
    const second = show(events, { target: 'r/two', live: false })
    expect(second.lines).toEqual([])
    second.end()
    expect(second.lines).toEqual([`${short(c)}: Preparing`, `${short(c)}: Layer already exists`])
  })

  it('shows warnings and retries on standard error, without control characters (R231)', () => {
    const { lines, errors } = show([
      { type: 'warning', message: 'registry\x1b[2J says\nno' },
      { type: 'retrying', operation: 'PUT blob', cause: 'HTTP 503', attempt: 2, delayMs: 1500 },
    ])
    expect(lines).toEqual([])
    expect(errors).toEqual([
      'warning: registry[2J says no',
      'retrying: PUT blob: HTTP 503 (attempt 2, in 1.5 s)',
    ])
  })
})

describe('the json renderer', () => {
  it('writes each event with its time as one line on standard error', () => {
    const { lines, errors } = show([{ type: 'warning', message: 'a\nb\u202e\x9b' }], {}, 'json')
    expect(lines).toEqual([])
    expect(errors).toHaveLength(1)
    expect(errors[0]).toMatch(/^[\x20-\x7e]+$/)
    expect(JSON.parse(errors[0] ?? '')).toEqual({
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT.*Z$/),
      type: 'warning',
      message: 'a\nb\u202e\x9b',
    })
  })
})

describe('the quiet renderer', () => {
  it('writes nothing', () => {
    expect(show([{ type: 'layers', layers: [{ diffID: a }] }], {}, 'quiet')).toMatchObject({
      lines: [],
      errors: [],
    })
  })
})

describe('the lines around a push', () => {
  it('are those of docker', () => {
    expect(pushHeader('127.0.0.1:5000/x')).toBe('The push refers to repository [127.0.0.1:5000/x]\n')
    expect(pushedLine('latest', a, 1351)).toBe(`latest: digest: ${a} size: 1351\n`)
  })
})

function blob(name: string): Descriptor {
  return { mediaType: MediaType.dockerLayerGzip, digest: digestOf(Buffer.from(name)), size: name.length }
}

function done(
  name: string,
  result: 'copied' | 'mounted' | 'exists',
  from?: string,
  target = 'r/one',
): CopyEvent {
  return { type: 'blob-done', target, descriptor: blob(name), result, ...(from !== undefined && { from }) }
}

/** Gives the events to a renderer. The lines are those written so far, also later. */
function show(
  events: readonly CopyEvent[],
  options: RendererOptions = {},
  mode: 'plain' | 'json' | 'quiet' = 'plain',
) {
  let [stdout, stderr] = ['', '']
  const streams = {
    stdout: {
      write: (text: string) => {
        stdout += text
      },
    },
    stderr: {
      write: (text: string) => {
        stderr += text
      },
    },
  }
  const renderer = createRenderer(mode, streams, options)
  for (const event of events) renderer.event(event)
  const linesOf = (text: string) => text.split('\n').slice(0, -1)
  return {
    get lines() {
      return linesOf(stdout)
    },
    errors: linesOf(stderr),
    end: () => renderer.end(),
  }
}
