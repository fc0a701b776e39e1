import { describe, expect, test } from 'vitest'
import { everyAdapter } from './every-adapter.ts'
import type { SiteHandler } from './site.ts'
import { valueOf, valuesOf } from './wire.ts'

/** Gives a token to who asks for the form; carries a request out with a token in a header alone. */
const handler: SiteHandler = async (req, res, session) => {
  if (req.url === '/login') await session.login('ada')
  if (req.method === 'GET') return void res.end(session.csrfToken())
  session.checkCsrfToken(req.headers['x-csrf-token'])
  session.data.count += 1
  res.end(`${session.data.count}`)
}

describe.each(everyAdapter)('over $adapter', ({ start }) => {
  test.each([0, 4])('a form is carried out with its token, and answered 403 without (store: %i ms)', async (delay) => {
    const { ask, store, errors } = await start(handler, { delay })
    const form = await ask()
    expect([form.status, valueOf(form.headers, 'cache-control')]).toEqual([200, 'no-store'])
    const cookie = valuesOf(form.headers, 'set-cookie')[0]!.replace(/;.*/, '')
    const post = (token?: string, over = cookie) =>
      ask({ method: 'POST', cookie: over, headers: { accept: 'application/json', ...(token !== undefined && { 'x-csrf-token': token }) } })

    expect((await post(form.body.toString())).body.toString()).toBe('1')
    const again = await ask({ cookie })
    expect([again.body.toString() === form.body.toString(), valuesOf(again.headers, 'set-cookie')]).toEqual([false, []])
    expect((await post(again.body.toString())).body.toString()).toBe('2')

    const other = await ask()
    const stored = [...store.acknowledged.values()]
    for (const token of [undefined, '', 'a'.repeat(64), other.body.toString(), cookie.slice(4)]) {
      const { status, headers } = await post(token)
      expect([token, status, valuesOf(headers, 'set-cookie')]).toEqual([token, 403, []])
    }
    expect((await post(form.body.toString(), '')).status).toBe(403)
    expect([[...store.acknowledged.values()], errors]).toEqual([stored, []])
  })

  test('a login makes the token of before worthless', async () => {
    const { ask } = await start(handler)
    const form = await ask()
    const before = valuesOf(form.headers, 'set-cookie')[0]!.replace(/;.*/, '')
    const login = await ask({ path: '/login', cookie: before })
    const cookie = valuesOf(login.headers, 'set-cookie')[0]!.replace(/;.*/, '')
    const post = async (token: string) => (await ask({ method: 'POST', cookie, headers: { 'x-csrf-token': token } })).status
    expect([await post(form.body.toString()), await post(login.body.toString())]).toEqual([403, 200])
  })
})
