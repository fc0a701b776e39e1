import { describe, expect, test } from 'vitest'
import { RecentContent } from '../../src/core/recent-content.ts'
import { createSessions } from '../../src/index.ts'
import { Visitor } from './visitor.ts'

const contentOf = (n: number) => ({ data: { n }, flash: {}, aside: null })

describe('content that is kept decoded', () => {
  test('is found by the very text alone', () => {
    const recent = new RecentContent<{ n: number }>()
    const [id, content] = ['abcdefghijklmnop', contentOf(1)]
    recent.keep(id, 'one', content)
    expect(recent.find(id, ['o', 'ne'].join(''))).toBe(content)
    expect(recent.find(id, 'two')).toBeNull()
  })

  test('gives its place to another session, and is never taken for that of another', () => {
    const recent = new RecentContent<{ n: number }>()
    recent.keep('aaaaaaaaaaaaaaop', 'one', contentOf(1))
    recent.keep('bbbbbbbbbbbbbbop', 'two', contentOf(2))
    expect(recent.find('aaaaaaaaaaaaaaop', 'one')).toBeNull()
    expect(recent.find('bbbbbbbbbbbbbbop', 'two')).toEqual(contentOf(2))
  })

  test('is not kept where it is long', () => {
    const recent = new RecentContent<{ n: number }>()
    recent.keep('abcdefghijklmnop', 'x'.repeat(4001), contentOf(1))
    expect(recent.find('abcdefghijklmnop', 'x'.repeat(4001))).toBeNull()
  })

  test('is the same for each request, whatever those before it did to their own data', async () => {
    const sessions = createSessions({ initial: () => ({ list: [{ deep: ['a'] }], seen: 0 }) })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => void (session.data.seen = 1))
    for (let round = 0; round < 3; round++) {
      // Opened, changed and never committed.
      const lost = await visitor.open()
      lost.data.list[0]!.deep.push('lost')
      lost.data.list.length = 0
      await visitor.visit((session) => {
        expect(session.data.list).toEqual([{ deep: ['a'] }])
        session.data.seen += 1
      })
    }
    await visitor.visit((session) => expect(session.data).toEqual({ list: [{ deep: ['a'] }], seen: 4 }))
  })
})
