import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { SojournError } from '../../src/core/errors.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import type { MaxPerUser } from '../../src/core/max-per-user.ts'
import type { SessionInfo } from '../../src/core/session.ts'
import { createSessions } from '../../src/sessions.ts'
import { Visitor } from '../core/visitor.ts'
import { startTimeout, suiteRan } from '../services/service.ts'
import { matrix, type Pair } from './matrix.ts'

interface Data {
  list: number[]
  held?: unknown
}

const logins = 200

describe.each(Object.entries(matrix))('two managers on one %s store', (name, open) => {
  let pair: Pair
  let users = 0
  let user = ''
  beforeAll(async () => {
    pair = await open()
  }, startTimeout)
  beforeEach(() => {
    user = `ada ${users++}`
  })
  afterAll(async () => {
    await pair?.close()
    await suiteRan('two managers', name)
  })

  /** The managers are never closed: closing them would close the stores, which all tests of a row share. */
  const managers = (maxPerUser?: number | MaxPerUser): readonly [Sessions<Data>, Sessions<Data>] => {
    const make = (index: 0 | 1) => {
      // Two hundred at once wait for ten connections, on a machine that does other work.
      const sessions = createSessions<Data>({ store: pair.stores[index], initial: () => ({ list: [] }), maxPerUser, storeTimeout: '25s' })
      sessions.on('error', ({ error }) => errors.push(error))
      return sessions
    }
    return [make(0), make(1)]
  }
  const errors: SojournError[] = []
  beforeEach(() => void errors.splice(0))

  /** Logins of one user at the same moment, by both managers in turn. @returns who got in, and why others did not */
  const storm = async (both: readonly [Sessions<Data>, Sessions<Data>], count: number) => {
    const visitors = Array.from({ length: count }, (_, index) => new Visitor(both[(index % 2) as 0 | 1]))
    const outcomes = await Promise.allSettled(visitors.map(async (visitor) => await visitor.visit((session) => session.login(user))))
    return {
      admitted: visitors.filter((_, index) => outcomes[index]!.status === 'fulfilled'),
      refusals: outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : [])),
    }
  }

  const listed = async (sessions: Sessions<Data>): Promise<SessionInfo[]> => {
    const infos: SessionInfo[] = []
    for await (const info of sessions.listByUser(user)) infos.push(info)
    return infos
  }

  const loggedIn = async (visitors: readonly Visitor<Data>[]): Promise<number> => {
    const owners = await Promise.all(visitors.map(async (visitor) => (await visitor.open()).userId))
    return owners.filter((owner) => owner === user).length
  }

  test(`${logins} logins of one user at once leave the five sessions that are allowed`, async () => {
    const both = managers(5)
    const { admitted, refusals } = await storm(both, logins)
    expect(refusals).toEqual([])
    expect(await listed(both[0])).toHaveLength(5)
    expect(await listed(both[1])).toHaveLength(5)
    expect(await loggedIn(admitted)).toBe(5)
    expect(errors).toEqual([])
  })

  test(`${logins} logins at once where one too many is refused let exactly five in`, async () => {
    const both = managers({ count: 5, beyond: 'refuse' })
    const { admitted, refusals } = await storm(both, logins)
    expect(admitted).toHaveLength(5)
    expect(await loggedIn(admitted)).toBe(5)
    for (const refusal of refusals) expect(refusal).toMatchObject({ code: 'ERR_SOJOURN_LOGIN_REFUSED', status: 403 })
    expect(await listed(both[0])).toHaveLength(5)
    await admitted[0]!.visit((session) => session.logout())
    await new Visitor(both[1]).visit((session) => session.login(user))
    expect(await listed(both[0])).toHaveLength(5)
    expect(errors).toEqual([])
  })

  test('fifty requests that add to one list at once, by both, all keep what they added', async () => {
    const both = managers()
    const first = new Visitor(both[0])
    await first.visit((session) => session.login(user))
    const opened = await Promise.all(
      Array.from({ length: 50 }, async (_, index) => await new Visitor(both[(index % 2) as 0 | 1], first.cookie).open()),
    )
    for (const [index, session] of opened.entries()) session.data.list.push(index)
    await Promise.all(opened.map(async (session) => await session.commit()))
    const numbers = Array.from({ length: 50 }, (_, index) => index)
    for (const sessions of both) {
      const { list } = await new Visitor(sessions, first.cookie).read()
      expect(list.toSorted((one, other) => one - other)).toEqual(numbers)
    }
    expect(errors).toEqual([])
  })

  test('a logout is final: a slow request neither writes nor revives, and the cookie opens nothing', async () => {
    const both = managers()
    const visitor = new Visitor(both[0])
    await visitor.visit((session) => session.login(user))
    const copy = new Visitor(both[1], visitor.cookie)
    const slow = await copy.open()
    slow.data.list.push(1)
    await visitor.visit((session) => session.logout())
    await expect(slow.commit()).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED' })
    for (const sessions of both) {
      expect(await new Visitor(sessions, copy.cookie).visit((session) => session.userId)).toBeNull()
      expect(await listed(sessions)).toEqual([])
    }
  })

  test('the sessions of a user are listed, ended singly and all but one, from either manager', async () => {
    const both = managers()
    const visitors = Array.from({ length: 8 }, (_, index) => new Visitor(both[(index % 2) as 0 | 1]))
    for (const visitor of visitors) await visitor.visit((session) => session.login(user))
    const ids = await Promise.all(visitors.map(async (visitor) => (await visitor.open()).id!))
    const idsOf = async (sessions: Sessions<Data>) => (await listed(sessions)).map(({ id }) => id).toSorted()
    expect(await idsOf(both[0])).toEqual(ids.toSorted())
    expect(await both[1].end(ids[0]!)).toBe(true)
    expect(await both[0].end(ids[0]!)).toBe(false)
    expect(await idsOf(both[0])).toEqual(ids.slice(1).toSorted())
    expect(await both[0].endUser(user, { except: ids[7]! })).toBe(6)
    expect(await idsOf(both[1])).toEqual([ids[7]])
    expect(await both[1].endUser(user)).toBe(1)
    expect(await idsOf(both[0])).toEqual([])
    expect(await loggedIn(visitors)).toBe(0)
  })

  test('hostile keys and texts come back as they were', async () => {
    const both = managers()
    const held: unknown = JSON.parse(
      String.raw`{"constructor":{"prototype":{"isAdmin":true}},"hasOwnProperty":1,"toString":2,"then":3,"a.b":{"$set":{"$where":1}},"":[null,"",-0.5],"\u0000":"\u0000","'; DROP TABLE users; --":"%s ? $1 :x","👩‍👩‍👧":"\u2028\ufeff","{x}\n\r\t\\":"\\0"}`,
    )
    const visitor = new Visitor(both[0])
    await visitor.visit((session) => void (session.data.held = held))
    const stored = (await new Visitor(both[1], visitor.cookie).read()).held
    expect(JSON.stringify(stored)).toBe(JSON.stringify(held))
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
    const half = { '\ud800': 'a\udc00b', long: '"\\é👩\0'.repeat(100_000).slice(0, 370_000) }
    const other = new Visitor(both[0])
    await other.visit((session) => void (session.data.held = half))
    expect((await new Visitor(both[1], other.cookie).read()).held).toEqual(half)
    const polluting = visitor.visit((session) => void (session.data.held = JSON.parse('{"__proto__":{"isAdmin":true}}')))
    await expect(polluting).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' })
    const long = visitor.visit((session) => void (session.data.held = 'x'.repeat(2 ** 20 + 1)))
    await expect(long).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE' })
    await new Visitor(both[1], visitor.cookie).visit((session) => void (session.data.list = [1]))
    expect(JSON.stringify((await visitor.read()).held)).toBe(JSON.stringify(held))
  })
})
