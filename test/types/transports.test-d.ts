import { expectTypeOf } from 'vitest'
import { cookie, createSessions, header, type Transport, type TransportName, url, type WatchEnd } from '../../src/index.ts'

expectTypeOf(cookie()).toEqualTypeOf<Transport>()
expectTypeOf(url({ name: 'sid', path: '/shop' })).toEqualTypeOf<Transport>()
expectTypeOf(header({ name: 'X-Session' })).toEqualTypeOf<Transport>()
// @ts-expect-error an option that is none
url({ nam: 'sid' })
// @ts-expect-error a header's name is text
header({ name: 7 })

const sessions = createSessions({ transports: [cookie({ sameSite: 'strict' }), url(), header()], initial: () => ({ visits: 0 }) })
// @ts-expect-error a transport is made by its function
createSessions({ transports: ['cookie'] })

const session = await sessions.open(new Headers())
expectTypeOf(session.transport).toEqualTypeOf<TransportName | null>()
expectTypeOf(session.url('/cart')).toEqualTypeOf<string>()

expectTypeOf(sessions.watch('', () => {})).toEqualTypeOf<() => void>()
sessions.watch('', (end) => {
  expectTypeOf(end).toEqualTypeOf<WatchEnd>()
  expectTypeOf<'logout' | 'ended' | 'reuse' | 'theft' | 'evicted' | 'login' | 'expired'>().toEqualTypeOf<WatchEnd>()
})
// @ts-expect-error a visitor of whom nothing is stored has no ID to watch
sessions.watch(session.id, () => {})
