import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { fakeClock } from '../../src/testing/fake-clock.ts'
import { DelayedStore } from './delayed-store.ts'
import { anyText } from './plain-data.ts'
import { Recorder } from './recorder.ts'
import { Visitor } from './visitor.ts'

interface Data {
  n: number
}

function site(store = new DelayedStore()) {
  const sessions = createSessions<Data>({ store, clock: fakeClock(), initial: () => ({ n: 0 }) })
  return { store, sessions, told: new Recorder(sessions), visitor: new Visitor(sessions) }
}

async function take(visitor: Visitor<Data>, kind = 'info'): Promise<string[]> {
  return await visitor.visit((session) => session.flash(kind))
}

describe('flash messages', () => {
  it('are there for the next page, once, in the order in which they were added', async () => {
    const { visitor } = site()
    const messages = Array.from({ length: 40 }, (_, i) => `message ${i}`)
    await visitor.visit((session) => messages.forEach((message) => session.flash('info', message)))
    expect(await take(visitor)).toEqual(messages)
    expect(await take(visitor)).toEqual([])
  })

  it('of one kind leave those of another', async () => {
    const { visitor } = site()
    await visitor.visit((session) => {
      session.flash('info', 'saved')
      session.flash('error', 'but')
    })
    expect(await take(visitor, 'error')).toEqual(['but'])
    expect(await take(visitor, 'warning')).toEqual([])
    expect(await take(visitor, 'info')).toEqual(['saved'])
  })

  it('can be read by the request that added them', async () => {
    const { visitor, store } = site()
    await visitor.visit((session) => {
      session.flash('info', 'at once')
      expect(session.flash('info')).toEqual(['at once'])
    })
    expect([visitor.cookie, store.puts]).toEqual([null, 0])
  })

  it('make a session for a new visitor; to look for them makes none and writes nothing', async () => {
    const { visitor, store, told } = site()
    await take(visitor)
    expect([visitor.cookie, store.puts]).toEqual([null, 0])
    await visitor.visit((session) => session.flash('info', 'hello'))
    expect(told.of('created')).toHaveLength(1)
    await take(visitor, 'error')
    expect(store.puts).toBe(1)
  })

  it('stay where the request that took them was not committed', async () => {
    const { visitor } = site()
    await visitor.visit((session) => session.flash('info', 'seen twice'))
    expect((await visitor.open()).flash('info')).toEqual(['seen twice'])
    expect(await take(visitor)).toEqual(['seen twice'])
  })

  it('hold any text, under any kind', async () => {
    await fc.assert(
      fc.asyncProperty(anyText, anyText, async (kind, message) => {
        const { visitor } = site(new DelayedStore(memory(), 0))
        await visitor.visit((session) => session.flash(kind, message))
        expect(await take(visitor, kind)).toEqual([message])
      }),
      { numRuns: 30 },
    )
  })

  it('are no affair of the schema', async () => {
    const sessions = createSessions({ schema: z.strictObject({ n: z.number() }), initial: () => ({ n: 0 }) })
    const visitor = new Visitor(sessions)
    await visitor.visit((session) => session.flash('info', 'hello'))
    expect(await visitor.visit((session) => session.flash('info'))).toEqual(['hello'])
    expect(await visitor.read()).toEqual({ n: 0 })
  })

  it('come along at a login, and are gone after a logout', async () => {
    const { visitor } = site()
    await visitor.visit((session) => session.flash('info', 'welcome'))
    await visitor.visit(async (session) => await session.login('ada'))
    expect(await take(visitor)).toEqual(['welcome'])
    await visitor.visit((session) => session.flash('info', 'never seen'))
    await visitor.visit(async (session) => await session.logout())
    expect(await take(visitor)).toEqual([])
  })

  it('can be left by a logout, for the page after it, in a new session', async () => {
    const { visitor, told } = site()
    await visitor.visit(async (session) => await session.login('ada'))
    await visitor.visit(async (session) => {
      await session.logout()
      session.flash('info', 'goodbye')
    })
    expect(await visitor.visit((session) => [session.userId, session.flash('info')])).toEqual([null, ['goodbye']])
    expect(told.of('created')).toHaveLength(1)
  })
})

describe('flash messages of requests at once', () => {
  it('are all kept, in few writes', async () => {
    const { visitor, store, told } = site()
    await visitor.visit((session) => session.flash('info', 'first'))
    const before = store.puts
    const open = await Promise.all(Array.from({ length: 50 }, () => visitor.open()))
    await Promise.all(open.map(async (session, i) => (session.flash('info', `message ${i}`), await session.commit())))
    expect(store.puts - before).toBeLessThanOrEqual(4)
    const messages = await take(visitor)
    expect(messages).toHaveLength(51)
    expect(new Set(messages).size).toBe(51)
    expect(told.conflicts).toEqual([])
  })

  it('stay when another request takes those that were there before', async () => {
    const { visitor } = site()
    await visitor.visit((session) => session.flash('info', 'old'))
    const [taking, adding] = [await visitor.open(), await visitor.open()]
    expect(taking.flash('info')).toEqual(['old'])
    adding.flash('info', 'new')
    await Promise.all([adding.commit(), taking.commit()])
    expect(await take(visitor)).toEqual(['new'])
  })

  it('that two requests took are gone, and that is no conflict', async () => {
    const { visitor, told } = site()
    await visitor.visit((session) => session.flash('info', 'once'))
    const [one, other] = [await visitor.open(), await visitor.open()]
    expect([one.flash('info'), other.flash('info')]).toEqual([['once'], ['once']])
    await Promise.all([one.commit(), other.commit()])
    expect(await take(visitor)).toEqual([])
    expect([told.conflicts, told.errors]).toEqual([[], []])
  })

  it('of two processes are all kept', async () => {
    const shared = memory()
    const [here, there] = [site(new DelayedStore(shared)), site(new DelayedStore(shared))]
    await here.visitor.visit((session) => session.flash('info', 'first'))
    const elsewhere = new Visitor(there.sessions, here.visitor.cookie)
    await Promise.all(
      [here.visitor, elsewhere].flatMap((visitor, at) =>
        Array.from({ length: 5 }, async (_, i) => await visitor.copy().visit((session) => session.flash('info', `${at}.${i}`))),
      ),
    )
    expect(await take(elsewhere)).toHaveLength(11)
  })
})
