import { describe, expect, test } from 'vitest'
import { pairedRatio, percentile, spreadOf } from '../../bench/measure/statistics.ts'
import { slowOf } from '../../bench/quick.ts'
import { chartsOf } from '../../bench/report/chart.ts'
import { boundOf, figure, reached, tableOf } from '../../bench/report/table.ts'
import type { Finding } from '../../bench/row.ts'

describe('statistics of the benchmark', () => {
  test('a ratio is taken round by round, so a round that was slow for both changes nothing', () => {
    expect(pairedRatio([80, 8, 90], [100, 10, 100])).toEqual({ median: 0.8, least: 0.8, most: 0.9 })
  })

  test('an even number of rounds has its median between the middle two', () => {
    expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4 })
  })

  test('a percentile is a value that was measured', () => {
    const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
    expect(percentile(hundred, 99)).toBe(99)
    expect(percentile([7], 99)).toBe(7)
  })
})

test('the quick variant fails below nine tenths of a goal, and bears what is between them and the goal', () => {
  const finding = { what: 'R', unit: '× bare', goal: { atLeast: 0.8 } }
  const noGoal = { what: 'R', unit: '× bare', value: 0.1 }
  expect(slowOf([{ ...finding, value: 0.73 }, { ...finding, value: 0.8 }, noGoal])).toEqual([])
  expect(slowOf([{ ...finding, value: 0.71 }, noGoal])).toEqual([{ ...finding, value: 0.71 }])
})

describe('tables of the benchmark', () => {
  test('a goal is reached at its very figure, and missed beside it', () => {
    const finding = { what: 'R', unit: '× bare' }
    expect(reached({ ...finding, value: 0.85, goal: { atLeast: 0.85 } })).toBe(true)
    expect(reached({ ...finding, value: 0.849, goal: { atLeast: 0.85 } })).toBe(false)
    expect(reached({ ...finding, value: 5, goal: { atMost: 5 } })).toBe(true)
    expect(reached({ ...finding, value: 5.1, goal: { atMost: 5 } })).toBe(false)
    expect(reached({ ...finding, value: 5 })).toBeNull()
  })

  test('beside a goal stands what does less came to, where the row measured it', () => {
    const finding = { what: 'R', unit: '× bare', value: 0.62 }
    expect(boundOf({ ...finding, bound: { value: 0.6123, of: 'by hand' } })).toBe('0.612, by hand')
    expect(boundOf(finding)).toBe('')
  })

  test('what was missed says so, and no note breaks the table', () => {
    const [, , line] = tableOf([{ what: 'sojourn, R', value: 0.8, unit: '× bare', goal: { atLeast: 0.85 }, note: 'a | b' }]).split('\n')
    expect(line!.split(/(?<!\\)\|/).map((cell) => cell.trim())).toEqual([
      '',
      'sojourn, R',
      '0.8 × bare',
      '',
      '≥ 0.85',
      '**missed**',
      'a \\| b',
      '',
    ])
  })

  test('what could not be measured says so, and why, and reaches no goal', () => {
    const finding = { what: 'scs, memory', value: null, unit: '× bare net/http', note: 'there is no `go` on the PATH' }
    expect(tableOf([finding]).split('\n')[2]).toMatch(/^\| scs, memory \| \*\*not measured\*\* .* there is no `go` on the PATH \|$/)
    expect(reached(finding)).toBeNull()
    expect(reached({ ...finding, goal: { atMost: 1.5 } })).toBe(false)
  })

  test('figures show as many digits as mean something', () => {
    expect([0, 0.85312, 12.44, 123.4, 1234.5, 0.0341].map(figure)).toEqual(['0', '0.853', '12.4', '123', '1,235', '0.0341'])
  })
})

describe('charts of the benchmark', () => {
  const resultOf = (findings: readonly Finding[]) => ({
    row: { name: 'languages', title: 'Languages', method: '', run: async () => findings },
    findings,
    failure: null,
    seconds: 1,
  })

  test('bars stand for throughput over a bare server, whichever it is; what was not measured has none', () => {
    const [chart, ...others] = chartsOf([
      resultOf([
        { what: 'sojourn, memory, R', value: 0.9, unit: '× bare node:http' },
        { what: 'scs, memory, R', value: null, unit: '× bare net/http' },
        { what: 'sojourn, R', value: 2, unit: '× raw' },
        { what: 'sojourn, memory, R', value: 0.7, unit: '× bare node:http, 2,500 in turn' },
      ]),
    ])
    expect(chart).toMatchObject({ name: 'languages', shape: 'bars', values: [{ name: 'sojourn, memory', kind: 'R', value: 0.9 }] })
    expect(others).toEqual([])
  })

  test('what grows is a line over the number of sessions, in a chart for each unit', () => {
    const at = (sessions: number) => ({ what: `${sessions}`, point: { line: 'memory: open', sessions } })
    const charts = chartsOf([
      resultOf([
        { ...at(1), value: 3, unit: 'µs' },
        { ...at(10), value: 4, unit: 'µs' },
        { ...at(10), value: 140, unit: 'bytes' },
      ]),
    ])
    expect(charts.map(({ name, shape, unit, values }) => ({ name, shape, unit, values: values.map(({ value }) => value) }))).toEqual([
      { name: 'languages', shape: 'lines', unit: 'µs', values: [3, 4] },
      { name: 'languages-2', shape: 'lines', unit: 'bytes', values: [140] },
    ])
  })
})
