import { describe, expect, it } from 'vitest'
import { GOALS, type Goal, isMet, ratioToFastest } from './goals.js'
import type { Results } from './results.js'
import { NO_RESULTS, sampleTrial } from './sample-results.js'

/** The figures of the goals that such results have, by the goals' titles. */
function figuresIn(results: Partial<Results>): Record<string, number> {
  const whole = { ...NO_RESULTS, ...results }
  return Object.fromEntries(
    GOALS.flatMap(({ title, figureIn }) => {
      const figure = figureIn(whole)
      return figure === undefined ? [] : [[title, figure]]
    }),
  )
}

describe('goals', () => {
  it('have no figure where nothing was measured', () => {
    expect(figuresIn({})).toEqual({})
  })

  it('compare the medians of a push with those of skopeo', () => {
    const regctl = [sampleTrial(3), sampleTrial(2), sampleTrial(9)]
    const skopeo = [sampleTrial(6, { storedMB: 400 })]
    const again = {
      id: 'push-again',
      title: '',
      trials: { regctl: [sampleTrial(1.5, { uploadRequests: 0 })] },
    }
    const rows = [{ id: 'push-archive', title: '', trials: { regctl, skopeo } }, again]
    expect(figuresIn({ rows })).toEqual({
      "push a docker-archive: time, in times of skopeo's": 0.5,
      'the same, if compression is the best that can be had': 0.5,
      "push a docker-archive: bytes stored, in times of skopeo's": 0.75,
      "the same push again: time, in times of skopeo's for a push that it doesn't know": 0.25,
      'the same push again: requests of uploads': 0,
    })
  })

  it('compare a pipe with a file, and the disk with what is stored', () => {
    const rows = [
      { id: 'push-archive', title: '', trials: { regctl: [sampleTrial(4)] } },
      { id: 'push-pipe', title: '', trials: { regctl: [sampleTrial(5, { diskMB: 150 })] } },
    ]
    expect(figuresIn({ rows })).toEqual({
      'push from a pipe: time, in times of a push from a file': 1.25,
      'push from a pipe: disk used meanwhile, in times of what is stored': 0.5,
    })
  })

  it('take one connection of a line for as fast as the line', () => {
    const rows = [{ id: 'long-line', title: '', trials: { regctl: [sampleTrial(10)] } }]
    expect(Object.values(figuresIn({ rows, blobMB: 500 }))).toEqual([4])
  })

  it('leave the start out of the time of a push of tiny layers', () => {
    const rows = [{ id: 'tiny-push', title: '', trials: { regctl: [sampleTrial(1.25)] } }]
    const start = { node: '20.18.1', isFirst: false, wallMs: 250, cpuMs: 50 }
    const starts = [
      { ...start, tool: 'node', command: 'an empty file' },
      { ...start, tool: 'regctl', command: '--version' },
    ]
    expect(figuresIn({ rows, starts })['push 60 tiny layers at 50 ms: seconds after start-up']).toBe(1)
  })

  it('take the worst Node, of wall clock and CPU time', () => {
    const row = (tool: string, node: string, wallMs: number, cpuMs: number) => {
      return {
        tool,
        node,
        command: tool === 'node' ? 'an empty file' : '--version',
        isFirst: false,
        wallMs,
        cpuMs,
      }
    }
    const starts = [
      row('node', '20.18.1', 40, 40),
      row('node', '24.0.0', 20, 20),
      row('regctl', '20.18.1', 50, 44),
      row('regctl', '24.0.0', 22, 30),
    ]
    expect(Object.values(figuresIn({ starts }))).toEqual([1.5])
  })

  it('take the worst size, of pushes with compression and of the others', () => {
    const row = (id: string, sizeMB: number, peakMB: number) => ({ id, title: '', sizeMB, peakMB })
    const memory = [
      row('push-archive', 1000, 120),
      row('push-archive', 5000, 160),
      row('copy', 1000, 99),
      row('export', 1000, 500),
    ]
    expect(figuresIn({ memory })).toEqual({
      'push with compression: MB of memory at most': 160,
      'any other push, pull or copy: MB of memory at most': 99,
    })
  })

  it('are met by figures as they are shown', () => {
    const goal: Goal = { title: '', digits: 2, atMost: 1, figureIn: () => undefined }
    expect([0.5, 1.004, 1.006].map(figure => isMet(goal, figure))).toEqual([true, true, false])
    const { atMost: _, ...rest } = goal
    expect([2, 3].map(figure => isMet({ ...rest, atLeast: 3 }, figure))).toEqual([false, true])
  })
})

describe('ratioToFastest', () => {
  it('is the time of regctl to the least median of the others', () => {
    const trials = {
      regctl: [sampleTrial(3)],
      crane: [sampleTrial(2), sampleTrial(2)],
      skopeo: [sampleTrial(9)],
    }
    expect(ratioToFastest({ id: '', title: '', trials })).toBe(1.5)
  })

  it('is unknown where nobody else did it', () => {
    expect(ratioToFastest({ id: '', title: '', trials: { regctl: [sampleTrial(3)] } })).toBeUndefined()
  })
})
