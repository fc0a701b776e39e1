import { describe, expect, test } from 'vitest'
import type { Maybe, SessionRecord } from '../../src/core/store.ts'
import { url } from '../../src/transports/url.ts'
import { cookie } from '../../src/transports/cookie.ts'
import { memory } from '../../src/stores/memory.ts'
import { Site } from './site.ts'
import { StoreOver } from './store-over.ts'

/** A store whose first insert is not answered, and arrives when it is let. */
class Slow extends StoreOver {
  arrive: (() => Maybe<boolean>) | null = null
  inserts: string[] = []

  override put(record: SessionRecord, expected: number): Maybe<boolean> {
    if (expected === 0) this.inserts.push(record.id)
    if (expected !== 0 || this.arrive !== null) return super.put(record, expected)
    this.arrive = () => super.put(record, expected)
    throw new Error('timed out')
  }
}

describe('a new session whose token or CSRF token went out before it was stored', () => {
  test.each([
    ['a CSRF token', (session: Awaited<ReturnType<Site['sessions']['open']>>) => session.csrfToken()],
    ['a link', (session: Awaited<ReturnType<Site['sessions']['open']>>) => session.url('/cart')],
  ])('is sent to the store once, so that no insert that is late brings back what was logged out: %s', async (_, give) => {
    const store = new Slow(memory())
    const site = new Site({ store, transports: [cookie(), url()] })
    const browser = site.browser()
    const session = await browser.open()
    session.data.cart.push('tea')
    give(session)
    await expect(session.commit()).rejects.toMatchObject({ status: 503 })
    expect(new Set(store.inserts).size).toBe(store.inserts.length)
    // A handler that goes on all the same has another one.
    await session.save()
    browser.receive(await session.commit())
    expect(new Set(store.inserts).size).toBe(store.inserts.length)
    const { token } = browser
    await browser.send((again) => again.logout())
    await store.arrive!()
    expect(await site.browser(undefined, token).send((late) => late.data.cart)).toEqual([])
  })
})
