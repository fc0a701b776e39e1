import { describe, expect, test } from 'vitest'
import { pairedRatio, percentile, spreadOf } from '../../bench/measure/statistics.ts'
import { slowOf } from '../../bench/quick.ts'
import { figure, reached, tableOf } from '../../bench/report/table.ts'

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

  test('figures show as many digits as mean something', () => {
    expect([0, 0.85312, 12.44, 123.4, 1234.5, 0.0341].map(figure)).toEqual(['0', '0.853', '12.4', '123', '1,235', '0.0341'])
  })
})
