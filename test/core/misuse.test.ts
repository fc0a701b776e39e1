import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { withSession } from '../../src/adapters/node.ts'
import { createSessions, type Session, type Sessions } from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'

interface Data {
  n: number
  at?: unknown
}

const open = (sessions: Sessions<Data>, cookie = ''): Promise<Session<Data>> =>
  sessions.open(new Request('http://localhost/', { headers: { cookie } }))
const code = (name: string) => expect.objectContaining({ code: name })

describe('a user ID that is none', () => {
  test.each([undefined, null, '', 7, 'half a \ud83d'])('%j ends nobody’s sessions and lists none', async (userId) => {
    const sessions = createSessions<Data>({ initial: () => ({ n: 0 }) })
    const cookie = await cookieFor(sessions, { userId: 'ada' })
    await expect(sessions.endUser(userId as string)).rejects.toEqual(code('ERR_SOJOURN_OPTION'))
    expect(() => sessions.listByUser(userId as string)).toThrow(code('ERR_SOJOURN_OPTION'))
    await expect((await open(sessions)).login(userId as string)).rejects.toEqual(code('ERR_SOJOURN_OPTION'))
    expect((await open(sessions, cookie)).userId).toBe('ada')
  })
})

describe('data that are no object', () => {
  const stored = async (migrate: (data: unknown) => unknown) => {
    const store = memory()
    const cookie = await cookieFor(createSessions<Data>({ store, initial: () => ({ n: 0 }) }), { data: { n: 1 } })
    const newer = createSessions<Data>({ store, initial: () => ({ n: 0 }), schemaVersion: 2, migrate })
    const errors: string[] = []
    newer.on('error', ({ error }) => void errors.push(error.code))
    return { session: await open(newer, cookie), newer, errors }
  }

  test.each([
    ['answers later', async (data: unknown) => data],
    ['answers nothing', () => undefined],
  ])('out of a migration that %s are set aside and told', async (_, migrate) => {
    const { session, newer, errors } = await stored(migrate)
    expect(session.data).toEqual({ n: 0 })
    expect(errors).toEqual(['ERR_SOJOURN_DATA_UNREADABLE'])
    session.data.n = 5
    await session.commit()
    expect(await newer.setAside(session.id!)).toContain('"n":1')
  })

  test('are refused at the commit, and as initial ones', async () => {
    const session = await open(createSessions<Data>({ initial: () => ({ n: 0 }) }))
    session.data = null as unknown as Data
    await expect(session.commit()).rejects.toEqual(code('ERR_SOJOURN_DATA_UNENCODABLE'))
    expect(() => createSessions<Data>({ initial: () => 'x' as unknown as Data })).toThrow(code('ERR_SOJOURN_OPTION'))
  })
})

describe('through a server', () => {
  const serve = async (handler: (session: Session<Data>, path: string, write: (text: string) => void) => Promise<void>) => {
    const sessions = createSessions<Data>({ initial: () => ({ n: 0 }) })
    const errors: string[] = []
    sessions.on('error', ({ error }) => void errors.push(error.code))
    const server = createServer(
      withSession(sessions, async (req, res, session) => {
        await handler(session, req.url!, (text) => void res.write(text))
        res.end('done')
      }),
    ).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { sessions, errors, server, url: `http://127.0.0.1:${port}` }
  }

  test('a login that landed reaches the client also when the data after it can’t be stored', async () => {
    const { sessions, server, url } = await serve(async (session) => {
      await session.login('ada')
      session.data.at = new Date()
    })
    const answer = await fetch(url, { method: 'POST' })
    expect(answer.status).toBe(500)
    const cookie = answer.headers.getSetCookie()[0]!.split(';')[0]!
    expect((await open(sessions, cookie)).userId).toBe('ada')
    server.close()
  })

  test('a session that ends while its answer streams breaks that answer, not the process', async () => {
    const { sessions, errors, server, url } = await serve(async (session, _, write) => {
      write('beginning')
      await sleep(50)
      await session.update((data) => void (data.n += 1))
    })
    const cookie = await cookieFor(sessions, { userId: 'ada' })
    const answer = await fetch(url, { method: 'POST', headers: { cookie } })
    await sessions.endUser('ada')
    await expect(answer.text()).rejects.toBeInstanceOf(Error)
    expect(errors).toEqual(['ERR_SOJOURN_ENDED'])
    server.close()
  })
})

test('a login pressed twice keeps what the first one took, also where initial data differ each time', async () => {
  let visits = 0
  const sessions = createSessions<{ visit: number }>({ initial: () => ({ visit: ++visits }) })
  const conflicts: unknown[] = []
  sessions.on('conflict', (event) => void conflicts.push(event))
  const anonymous = await sessions.open(new Request('http://localhost/'))
  anonymous.data.visit = 1000
  const cookie = (await anonymous.commit()).getSetCookie()[0]!.split(';')[0]!
  for (let i = 0; i < 2; i++) {
    const session = await sessions.open(new Request('http://localhost/', { headers: { cookie } }))
    await session.login('ada')
    expect(session.data.visit).toBe(1000)
  }
  expect(conflicts).toEqual([])
})

test('an update that can’t be stored changes nothing of a new visitor’s data', async () => {
  const session = await open(createSessions<Data>({ initial: () => ({ n: 0 }) }))
  await expect(session.update((data) => void (data.at = new Date()))).rejects.toEqual(code('ERR_SOJOURN_DATA_UNENCODABLE'))
  expect(session.data).toEqual({ n: 0 })
  expect([...(await session.commit()).keys()]).toEqual(['cache-control'])
})

test('what was told of a session that ended is told again, not something else', async () => {
  const sessions = createSessions<Data>({ initial: () => ({ n: 0 }) })
  const session = await open(sessions, await cookieFor(sessions, { userId: 'ada' }))
  await sessions.endUser('ada')
  for (let i = 0; i < 2; i++) await expect(session.update((data) => void (data.n += 1))).rejects.toEqual(code('ERR_SOJOURN_ENDED'))
})

test('an epoch that is undefined is no epoch', async () => {
  const sessions = createSessions<Data>({ initial: () => ({ n: 0 }), epoch: () => 1 })
  await expect((await open(sessions)).login('ada', { epoch: undefined })).rejects.toEqual(code('ERR_SOJOURN_OPTION'))
})

test.each([{ cookie: { maxAge: 7 } }, { timeouts: { idel: '5m' } }, { secret: 'x' }, { trustProxy: 'false' }])(
  'the options %j are refused',
  (options) => {
    expect(() => createSessions(options as object)).toThrow(code('ERR_SOJOURN_OPTION'))
  },
)

test('a sweep interval beyond what a timer knows is no endless loop', async () => {
  const warnings: string[] = []
  const listen = (warning: Error) => void warnings.push(warning.name)
  process.on('warning', listen)
  const sessions = createSessions({ sweepInterval: '60d' })
  await sleep(20)
  process.off('warning', listen)
  expect(warnings).not.toContain('TimeoutOverflowWarning')
  await sessions.close()
})

test('Express’s request, which has a `get`, is Node’s request all the same', async () => {
  const sessions = createSessions<Data>({ initial: () => ({ n: 0 }) })
  const request = { headers: {}, socket: { encrypted: true }, get: () => 'x' }
  const session = await sessions.open(request)
  session.data.n = 1
  expect((await session.commit()).getSetCookie()[0]).toMatch(/^__Host-sid=/)
})
