import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Screen } from '../../../test/support/screen.js'
import { type BlobResult, type CopyEvent, type Descriptor, digestOf, MediaType } from '../../index.js'
import { createRenderer, type ProgressRenderer, type RendererOptions } from './renderer.js'

const TARGET = 'r/one'
const LAYERS = 30
const shown: ProgressRenderer[] = []

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  for (const renderer of shown.splice(0)) renderer.end()
  vi.useRealTimers()
})

describe('the terminal renderer', () => {
  it('keeps a line with bar, bytes, rate and time left for a layer', () => {
    const { screen, send } = show(80, 24, 1)
    send(progress(0, 0))
    for (let step = 1; step <= 8; step++) {
      vi.advanceTimersByTime(500)
      send(progress(0, step * 0.05))
    }
    vi.advanceTimersByTime(200)
    expect(screen.visible).toEqual([`${id(0)}: Pushing [=======>         ]        4MB/10MB     1MB/s  6s`])
  })

  it('shows compressing before pushing, each with its own bytes', () => {
    const { screen, send } = show(80, 24, 1)
    send({ type: 'layer-progress', diffID: diffID(0), offset: 20_000_000, size: 40_000_000 })
    vi.advanceTimersByTime(200)
    expect(screen.visible[0]).toMatch(/^.{12}: Compressing \[=+> +\] +20MB\/40MB$/)
    send({ type: 'layer-ready', diffID: diffID(0), descriptor: { ...blob(0), size: 7_000_000 } })
    vi.advanceTimersByTime(200)
    expect(screen.visible[0]).toBe(`${id(0)}: Waiting`)
  })

  it.each([
    [80, 24],
    [60, 10],
    [40, 5],
  ])('shows the layers at work and counts the others at %i×%i', (columns, rows) => {
    const { screen, send } = show(columns, rows)
    for (let layer = 0; layer < 12; layer++) send(done(layer))
    for (const layer of [20, 25, 29]) send(progress(layer, 0.5))
    vi.advanceTimersByTime(200)
    const { visible } = screen
    expect(visible).toHaveLength(rows - 1)
    for (const line of visible) expect(line.length).toBeLessThan(columns)
    // The top layer is shown first.
    expect(visible.filter(line => line.includes(': Pushing')).map(line => line.slice(0, 12))).toEqual([
      id(29),
      id(25),
      id(20),
    ])
    const shown = rows - 2
    const waiting = Math.max(0, 15 - (shown - 3))
    const finished = LAYERS - shown - waiting
    const rest = waiting > 0 ? `${finished} done, ${waiting} waiting` : `${finished} done`
    expect(visible.at(-1)).toBe(`… ${LAYERS - shown} more: ${rest}`.slice(0, columns - 1))
    // However often it is drawn, it stays in its place.
    for (let step = 0; step < 50; step++) {
      send(progress(20, step / 50))
      vi.advanceTimersByTime(120)
    }
    expect(screen.history).toHaveLength(rows - 1)
  })

  it('cuts the bar, then the numbers, where the terminal is narrow', () => {
    const { screen, send } = show(48, 10, 1)
    send(progress(0, 0.5))
    vi.advanceTimersByTime(200)
    expect(screen.visible).toEqual([`${id(0)}: Pushing 5MB/10MB`])
    screen.resize(20, 10)
    expect(screen.visible).toEqual([`${id(0)}: Pushin`.slice(0, 19)])
  })

  it.each([
    [60, 10],
    [30, 24],
    [120, 40],
    [80, 5],
  ])('draws again for %i×%i when the terminal is resized', (columns, rows) => {
    const { screen, send } = show(80, 24)
    for (const layer of [1, 2]) send(progress(layer, 0.3))
    vi.advanceTimersByTime(200)
    screen.resize(columns, rows)
    const expected = Math.min(LAYERS, rows - 1)
    expect(screen.visible).toHaveLength(expected)
    expect(new Set(screen.visible).size).toBe(expected)
    for (const line of screen.visible) expect(line.length).toBeLessThan(columns)
    expect(screen.visible.filter(line => line.includes('Pushing'))).toHaveLength(2)
  })

  it('takes nothing away that stood above it when the terminal gets narrower', () => {
    const screen = new Screen(80, 24)
    screen.write('The push refers to repository [r/one]\n')
    const { send } = show(80, 24, 6, {}, screen)
    send(progress(1, 0.3))
    vi.advanceTimersByTime(200)
    screen.resize(40, 24)
    expect(screen.visible[0]).toBe('The push refers to repository [r/one]')
    expect(screen.visible).toHaveLength(7)
  })

  it('leaves a line for every layer in the end, also when they are more than the rows', () => {
    const { screen, send, renderer } = show(60, 10)
    for (let layer = 0; layer < LAYERS; layer++) send(done(layer, layer === 3 ? 'exists' : 'copied'))
    renderer.end()
    const expected = Array.from({ length: LAYERS }, (_, position) => {
      const layer = LAYERS - 1 - position
      return `${id(layer)}: ${layer === 3 ? 'Layer already exists' : 'Pushed'}`
    })
    expect(screen.history).toEqual(expected)
    expect(screen.isCursorShown).toBe(true)
  })

  it('leaves only what is done when it is ended in the middle, and the cursor', () => {
    const { screen, send, renderer } = show(80, 24)
    expect(screen.isCursorShown).toBe(false)
    send(done(7))
    send(progress(8, 0.5))
    send({ type: 'layer-progress', diffID: diffID(9), offset: 1, size: 2 })
    vi.advanceTimersByTime(500)
    screen.write('^C')
    renderer.end()
    expect(screen.history).toEqual([`${id(7)}: Pushed`])
    expect(screen.isCursorShown).toBe(true)
    expect(screen.listenerCount).toBe(0)
    expect(vi.getTimerCount()).toBe(0)
    renderer.end()
    send(progress(8, 0.7))
    vi.advanceTimersByTime(500)
    expect(screen.history).toEqual([`${id(7)}: Pushed`])
  })

  it('shows a warning above the bars, without control characters (R231)', () => {
    const { screen, send } = show(80, 24, 2)
    send(progress(1, 0.5))
    send({ type: 'warning', message: 'slow\x1b[2J registry' })
    expect(screen.visible[0]).toBe('warning: slow[2J registry')
    expect(screen.visible).toHaveLength(3)
  })

  it('leaves no copy of the bars above a warning when they fill the screen', () => {
    const { screen, send } = show(80, 10)
    send({ type: 'warning', message: 'slow' })
    expect(screen.history).toHaveLength(1 + 9)
    expect(screen.history[0]).toBe('warning: slow')
  })

  it('goes back when a transfer starts again', () => {
    const { screen, send } = show(80, 24, 1)
    send(progress(0, 0.9))
    vi.advanceTimersByTime(1000)
    send(progress(0, 0.1))
    vi.advanceTimersByTime(200)
    expect(screen.visible[0]).toMatch(/1MB\/10MB$/)
  })

  it('shows a layer that repeats once', () => {
    const screen = new Screen(80, 24)
    const { renderer } = show(80, 24, 0, {}, screen)
    const [one, two] = [item(1), item(2)]
    renderer.event({ type: 'layers', layers: [one, two, one] })
    expect(screen.visible).toEqual([`${id(1)}: Waiting`, `${id(2)}: Waiting`])
  })

  it('leaves the lines of one image before it shows the next', () => {
    const { screen, send } = show(80, 24, 2)
    send(done(0))
    send(done(1))
    send({ type: 'layers', layers: [item(0), item(5)] })
    expect(screen.visible).toEqual([
      `${id(1)}: Pushed`,
      `${id(0)}: Pushed`,
      `${id(5)}: Waiting`,
      `${id(0)}: Waiting`,
    ])
  })

  it('draws ten times a second at most', () => {
    const screen = new Screen(80, 24)
    const write = vi.spyOn(screen, 'write')
    const { send } = show(80, 24, 3, {}, screen)
    write.mockClear()
    for (let step = 0; step < 1000; step++) {
      send(progress(1, step / 1000))
      vi.advanceTimersByTime(1)
    }
    expect(write.mock.calls.length).toBeGreaterThan(3)
    expect(write.mock.calls.length).toBeLessThanOrEqual(10)
  })
})

const SIZE = 10_000_000

function diffID(layer: number) {
  return digestOf(Buffer.from(`layer ${layer}`))
}

function id(layer: number): string {
  return diffID(layer).slice(7, 19)
}

function blob(layer: number): Descriptor {
  return { mediaType: MediaType.dockerLayerGzip, digest: digestOf(Buffer.from(`blob ${layer}`)), size: SIZE }
}

function item(layer: number) {
  return { diffID: diffID(layer), digest: blob(layer).digest, size: SIZE }
}

function progress(layer: number, part: number): CopyEvent {
  return { type: 'blob-progress', target: TARGET, descriptor: blob(layer), offset: Math.round(part * SIZE) }
}

function done(layer: number, result: BlobResult = 'copied'): CopyEvent {
  return { type: 'blob-done', target: TARGET, descriptor: blob(layer), result }
}

/** Shows an image of so many layers. */
function show(
  columns: number,
  rows: number,
  count = LAYERS,
  options: RendererOptions = {},
  screen = new Screen(columns, rows),
) {
  const renderer = createRenderer('tty', { stdout: screen, stderr: screen }, { target: TARGET, ...options })
  shown.push(renderer)
  const send = (event: CopyEvent) => renderer.event(event)
  if (count > 0) send({ type: 'layers', layers: Array.from({ length: count }, (_, layer) => item(layer)) })
  return { screen, send, renderer }
}
