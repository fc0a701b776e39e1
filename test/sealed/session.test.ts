import { describe, expect, test } from 'vitest'
import { site, start, text } from './site.ts'

describe('a visitor', () => {
  test('who changes nothing leaves no trace', async () => {
    const { visitor } = site()
    const ada = visitor()
    await ada.visit(({ data, id, isNew, userId, createdAt, expiresAt, lastSeenAt }) => {
      expect({ data, id, isNew, userId, createdAt, expiresAt, lastSeenAt }).toEqual({
        data: { visits: 0, cart: [], note: '' },
        id: null,
        isNew: true,
        userId: null,
        createdAt: null,
        expiresAt: null,
        lastSeenAt: null,
      })
    })
    expect(ada.jar.setCookies).toEqual([])
  })

  test('who changes something gets one cookie, and is known by it', async () => {
    const { visitor, told } = site()
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    expect(ada.jar.setCookies).toEqual([expect.stringMatching(/^sid=1[\w-]+; Path=\/; HttpOnly; SameSite=Lax$/)])

    await ada.visit(({ data, id, isNew, createdAt }) => {
      expect({ cart: data.cart, isNew, createdAt }).toEqual({ cart: ['tea'], isNew: false, createdAt: start })
      expect(told('created')).toEqual([{ id, userId: null }])
    })
    expect(ada.jar.setCookies, 'who only reads is not sealed anew').toEqual([])
  })

  test('keeps the ID over changes', async () => {
    const { visitor } = site()
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const first = await ada.visit(({ id, data }) => {
      data.visits += 1
      return id
    })
    expect(first).toMatch(/^[\w-]{16}$/)
    expect((await ada.open()).id).toBe(first)
    expect((await ada.open()).data).toEqual({ visits: 1, cart: ['tea'], note: '' })
  })

  test('knows the ID once the session is committed', async () => {
    const session = await site().visitor().open()
    session.data.visits = 1
    await session.commit()
    expect(session.id).toMatch(/^[\w-]{16}$/)
  })

  test('can read nothing of it: the cookie shows neither data nor user nor ID', async () => {
    const ada = site().visitor()
    await ada.visit(async (session) => {
      session.data.note = text(300)
      await session.login('ada@example.com')
    })
    const { id } = await ada.open()
    const value = ada.jar.cookies.get('sid')!
    for (const form of [value, ...[0, 1, 2, 3].map((at) => Buffer.from(value.slice(10 + at), 'base64url').toString('latin1'))])
      for (const secret of ['ada@example.com', 'abcdefghij', id!]) expect(form).not.toContain(secret)
  })
})

describe('a login', () => {
  test('gives a new ID, always, and the data come along', async () => {
    const { visitor, told } = site()
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const before = (await ada.open()).id
    await ada.visit((session) => session.login('ada'))
    const session = await ada.open()
    expect([session.userId, session.data.cart]).toEqual(['ada', ['tea']])
    expect(session.id).not.toBe(before)
    expect(told('loggedIn')).toEqual([{ id: session.id, userId: 'ada', previousId: before }])

    await ada.visit((again) => again.login('ada'))
    expect((await ada.open()).id, 'a step-up is a login').not.toBe(session.id)
    expect((await ada.open()).data.cart).toEqual(['tea'])
  })

  test('of another user starts from the initial data', async () => {
    const ada = site().visitor()
    await ada.visit((session) => {
      session.data.cart.push('tea')
      return session.login('ada')
    })
    await ada.visit(async (session) => {
      const { data } = session
      await session.login('bob', { carry: () => ({ visits: 9, cart: [], note: 'carried' }) })
      expect(data, 'the same object').toEqual({ visits: 0, cart: [], note: '' })
    })
    expect((await ada.open()).data).toEqual({ visits: 0, cart: [], note: '' })
  })

  test('brings along what carry chooses, and what is changed after it', async () => {
    const ada = site().visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    await ada.visit(async (session) => {
      await session.login('ada', { carry: (data) => ({ ...data, note: 'carried' }) })
      session.data.visits = 7
    })
    expect((await ada.open()).data).toEqual({ visits: 7, cart: ['tea'], note: 'carried' })
  })

  test('that would not fit into its cookies is refused, and the session is as before', async () => {
    const { visitor, told } = site()
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))
    const session = await ada.open()
    const { id } = session
    await expect(session.login('ada', { carry: (data) => ({ ...data, note: text(9000) }) })).rejects.toMatchObject({
      code: 'ERR_SOJOURN_DATA_TOO_LARGE',
    })
    expect([session.id, session.userId, told('loggedIn')]).toEqual([id, null, []])
    expect((await session.commit()).getSetCookie()).toEqual([])
  })

  test.each<[unknown, RegExp]>([
    ['', /needs the user's ID/],
    [undefined, /needs the user's ID/],
    ['\ud800', /half a character/],
  ])('of %j is an error', async (userId, message) => {
    await expect((await site().visitor().open()).login(userId as string)).rejects.toThrow(message)
  })

  test('with an epoch, which nobody would compare, is an error', async () => {
    const session = await site().visitor().open()
    await expect(session.login('ada', { epoch: 1 } as object)).rejects.toMatchObject({ code: 'ERR_SOJOURN_OPTION' })
    expect(session.userId).toBeNull()
  })
})

describe('a logout', () => {
  test('takes the cookie back, in the attributes that it was set with', async () => {
    const { visitor, told } = site({ cookie: { name: 'stay', domain: 'example.com', sameSite: 'strict' } })
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    const { id } = await ada.open()
    await ada.visit((session) => session.logout())
    expect(ada.jar.setCookies).toEqual(['stay=; Max-Age=0; Domain=example.com; Path=/; HttpOnly; SameSite=Strict'])
    expect(await ada.user()).toBeNull()
    expect(told('ended')).toEqual([{ id, userId: 'ada', reason: 'logout' }])
  })

  test('leaves a new visitor, who may begin anew in the same request', async () => {
    const ada = site().visitor()
    await ada.visit(async (session) => {
      session.data.cart.push('tea')
      await session.login('ada')
    })
    const before = (await ada.open()).id
    await ada.visit(async (session) => {
      await session.destroy()
      expect([session.id, session.userId, session.data.cart]).toEqual([null, null, []])
      session.data.note = 'goodbye'
    })
    const session = await ada.open()
    expect([session.userId, session.data.note]).toEqual([null, 'goodbye'])
    expect(session.id).not.toBe(before)
  })

  test('of nobody does nothing', async () => {
    const { visitor, told } = site()
    const ada = visitor()
    await ada.visit((session) => session.logout())
    expect([ada.jar.setCookies, told('ended')]).toEqual([[], []])
  })
})

test('flash messages come in order, by kind, and go when they are taken', async () => {
  const ada = site().visitor()
  await ada.visit((session) => {
    for (let i = 0; i < 12; i++) session.flash(i % 2 === 0 ? 'even' : 'odd', String(i))
  })
  await ada.visit((session) => {
    expect(session.flash('even')).toEqual(['0', '2', '4', '6', '8', '10'])
    session.flash('even', '12')
  })
  await ada.visit((session) => expect(session.flash('even')).toEqual(['12']))
  await ada.visit((session) => expect([session.flash('even'), session.flash('odd')]).toEqual([[], ['1', '3', '5', '7', '9', '11']]))
})

describe('data', () => {
  test('that the codec can not carry are refused at the commit, and the cookie stays', async () => {
    const ada = site().visitor()
    const session = await ada.open()
    session.data.note = new Date() as unknown as string
    await expect(Promise.resolve(session.commit())).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_UNENCODABLE' })
  })

  test('of an older release are migrated, of a newer one are an error, and what can not be read leaves the initial data', async () => {
    const { keys, clock, visitor } = site({ schemaVersion: 2 })
    const ada = visitor()
    await ada.visit(({ data }) => void data.cart.push('tea'))

    const newer = site({ keys, clock, schemaVersion: 3, migrate: (data, version) => ({ ...(data as object), note: `of ${version}` }) })
    expect((await ada.copy(newer.sessions).open()).data).toEqual({ visits: 0, cart: ['tea'], note: 'of 2' })

    const older = await ada.copy(site({ keys, clock }).sessions).open()
    expect(() => older.data).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_DATA_NEWER', status: 503 }))

    const broken = site({
      keys,
      clock,
      schemaVersion: 3,
      migrate: () => {
        throw new Error('no way')
      },
    })
    const lost = ada.copy(broken.sessions)
    expect(await lost.visit(({ data }) => data.cart)).toEqual([])
    expect([broken.errors(), lost.jar.setCookies]).toEqual([['ERR_SOJOURN_DATA_UNREADABLE'], []])
    expect((await lost.copy(newer.sessions).open()).data.cart, 'the cookie is as it was').toEqual(['tea'])
  })
})

test('sessions that were closed open nothing more', async () => {
  const { sessions, visitor } = site()
  await sessions.close()
  await expect(visitor().open()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED', status: 503 })
})
