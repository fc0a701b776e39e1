import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, vi } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import type { Session } from '../../src/core/session.ts'
import type { Store } from '../../src/core/store.ts'
import { createSessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { DelayedStore } from './delayed-store.ts'
import { HttpVisitor, serve } from './http-visitor.ts'
import { Recorder } from './recorder.ts'

interface Data {
  list: string[]
}

type Handler = (session: Session<Data>, res: ServerResponse, req: IncomingMessage) => void | Promise<void>

/** A site whose `/` does what the test wants to see, for a visitor who has a session. */
async function site(handler: Handler, store: Store = memory()) {
  const sessions = createSessions<Data>({ store, initial: () => ({ list: [] }) })
  let done: Promise<void> = Promise.resolve()
  const listener = withSession(sessions, async (req, res, session) => {
    if (req.url === '/read') return void res.end(JSON.stringify(session.data.list))
    if (req.url === '/start') return void (session.data.list.push('first'), res.end())
    done = (async () => await handler(session, res, req))()
    await done
  })
  const told = new Recorder(sessions)
  const visitor = new HttpVisitor(await serve(listener))
  const start = async (): Promise<void> => void (await visitor.post('/start'))
  const list = async (): Promise<string[]> => JSON.parse((await visitor.get('/read')).body) as string[]
  // To close the sessions is to look at all that wait to be looked at.
  const toldAtLast = async () => (await done, await sessions.close(), told.of('error'))
  return { sessions, visitor, told, start, list, toldAtLast, done: async () => await done }
}

const late: [what: string, handler: Handler][] = [
  ['after the answer', ({ data }, res) => (res.end('ok'), void data.list.push('late'))],
  ['some time after the answer', async ({ data }, res) => (res.end('ok'), await delay(50), void data.list.push('late'))],
  ['for the first time after the answer', async (session, res) => (res.end('ok'), await delay(5), void session.data.list.push('late'))],
  ['while the answer is streamed', async ({ data }, res) => (res.write('o'), data.list.push('late'), await delay(5), void res.end('k'))],
  ['after the head was flushed', ({ data }, res) => (res.flushHeaders(), data.list.push('late'), void res.end('ok'))],
  ['by a flash message', (session, res) => (res.end('ok'), session.flash('info', 'late'))],
  ['as a whole', (session, res) => (res.end('ok'), void (session.data = { list: ['late'] }))],
]

describe.each<[name: string, open: () => Store]>([
  ['a store that answers at once', () => memory()],
  ['a store that answers later', () => new DelayedStore()],
])('a session that is changed late, with %s', (_name, open) => {
  it.each(late)('%s, is told of, and not stored', async (_what, handler) => {
    const at = await site(handler, open())
    await at.start()
    const id = at.told.of('created')[0]!.id
    expect(await at.visitor.post('/')).toMatchObject({ status: 200, body: 'ok' })
    await at.done()
    expect(await at.list()).toEqual(['first'])
    expect(await at.toldAtLast()).toMatchObject([
      { id, error: { code: 'ERR_SOJOURN_LATE_CHANGE', message: expect.stringContaining('await session.save()') as unknown } },
    ])
  })

  it('and saved explicitly, is stored, and there is nothing to tell', async () => {
    const at = await site(async (session, res) => {
      session.data.list.push('before')
      res.write('o')
      session.data.list.push('late')
      await session.save()
      res.end('k')
      await session.update((data) => data.list.push('by update'))
    }, open())
    await at.start()
    expect(await at.visitor.post('/')).toMatchObject({ status: 200, body: 'ok' })
    await at.done()
    expect(await at.list()).toEqual(['first', 'before', 'late', 'by update'])
    expect(await at.toldAtLast()).toEqual([])
  })

  it('by save() of a session that ended meanwhile, is told to the handler', async () => {
    const failed = vi.fn<(error: unknown) => void>()
    const at = await site(async (session, res) => {
      res.write('o')
      await at.sessions.end(session.id!)
      session.data.list.push('late')
      await session.save().catch(failed)
      await session.update((data) => data.list.push('late')).catch(failed)
      res.end('k')
    }, open())
    await at.start()
    expect(await at.visitor.post('/')).toMatchObject({ status: 200, body: 'ok' })
    expect(failed.mock.calls).toMatchObject([
      [{ code: 'ERR_SOJOURN_ENDED' }],
      [{ code: expect.stringMatching(/_(?:ENDED|MOVED)$/) as unknown }],
    ])
  })
})

it('a new visitor’s session that is changed after the answer is told of as well', async () => {
  const at = await site(({ data }, res) => (res.end('ok'), void data.list.push('late')))
  await at.visitor.post('/')
  expect(await at.toldAtLast()).toMatchObject([{ id: null, error: { code: 'ERR_SOJOURN_LATE_CHANGE' } }])
})

it.each<[what: string, handler: Handler]>([
  ['only read', ({ data }, res) => void res.end(data.list.join())],
  ['changed in time', ({ data }, res) => (data.list.push('in time'), void res.end('ok'))],
  ['changed and changed back', ({ data }, res) => (res.end('ok'), data.list.push('late'), void data.list.pop())],
  ['logged out', async (session, res) => (await session.logout(), void res.end('ok'))],
  ['never looked at', (_session, res) => void res.end('ok')],
])('a session that was %s gives nothing to tell', async (_what, handler) => {
  const at = await site(handler)
  await at.start()
  await at.visitor.post('/')
  expect(await at.toldAtLast()).toEqual([])
})

it('what was changed late is told of within a second, once', async () => {
  const handler: Handler = async ({ data }, res) => {
    res.write('o')
    data.list.push('late')
    await delay(800)
    res.end('k')
  }
  const at = await site(handler)
  await at.start()
  await at.visitor.post('/')
  expect(at.told.errors).toEqual(['ERR_SOJOURN_LATE_CHANGE'])
  expect(await at.toldAtLast()).toHaveLength(1)
})
