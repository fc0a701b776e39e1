import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import express from 'express'
import { expectTypeOf } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import { withSession } from '../../src/adapters/node.ts'
import type { Session } from '../../src/index.ts'
import { type RevocableSealedSessions, sealed, type SealedSession, type SealedSessions } from '../../src/sealed.ts'
import { memory } from '../../src/stores/memory.ts'
import type { Store } from '../../src/core/store.ts'
import { cookieFor } from '../../src/testing/index.ts'

interface ShopData {
  cart: string[]
}

const initial = (): ShopData => ({ cart: [] })
const keys = [process.env['SESSION_KEY'], new Uint8Array(32)]
const sessions = sealed({ keys, initial })

// Data is what `initial` gives, what the application names, or anything.
expectTypeOf(sessions).toEqualTypeOf<SealedSessions<ShopData>>()
expectTypeOf(sealed<ShopData>({ keys, initial })).toEqualTypeOf<SealedSessions<ShopData>>()
expectTypeOf(sealed({ keys })).toEqualTypeOf<SealedSessions<Record<string, unknown>>>()
expectTypeOf(sealed<{ nickname?: string }>({ keys })).toEqualTypeOf<SealedSessions<{ nickname?: string }>>()
// @ts-expect-error `initial` must be given where Data has properties that must be there
sealed<ShopData>({ keys })
// @ts-expect-error keys must be given
sealed({ initial })

// With a list sessions can be ended; without one there is no such method.
const revocable = sealed({ keys, initial, revocations: memory() })
expectTypeOf(revocable).toEqualTypeOf<RevocableSealedSessions<ShopData>>()
expectTypeOf(sealed({ keys, revocations: memory() })).toEqualTypeOf<RevocableSealedSessions<Record<string, unknown>>>()
expectTypeOf(revocable.end('')).toEqualTypeOf<Promise<void>>()
expectTypeOf(revocable.endUser('ada', { except: null })).toEqualTypeOf<Promise<void>>()
declare const perhaps: Store | undefined
expectTypeOf(sealed({ keys, initial, revocations: perhaps })).toEqualTypeOf<SealedSessions<ShopData>>()
expectTypeOf<keyof SealedSessions<ShopData>>().toEqualTypeOf<'open' | 'of' | 'on' | 'close'>()
expectTypeOf<keyof RevocableSealedSessions<ShopData>>().toEqualTypeOf<'open' | 'of' | 'on' | 'close' | 'end' | 'endUser' | 'sweep'>()

// What can't be done without a store is not there; the rest is as in any session.
expectTypeOf<Exclude<keyof Session<ShopData>, keyof SealedSession<ShopData>>>().toEqualTypeOf<
  'renew' | 'update' | 'save' | 'csrfToken' | 'checkCsrfToken' | 'transport' | 'url' | 'lastLoginAt' | 'assurance' | 'requireRecentLogin'
>()
expectTypeOf<Exclude<keyof SealedSession<ShopData>, keyof Session<ShopData>>>().toEqualTypeOf<never>()
expectTypeOf<Session<ShopData>>().toExtend<SealedSession<ShopData>>()
declare const one: SealedSession<ShopData>
void one.login('ada', { remember: true, carry: (data) => data })
// @ts-expect-error nothing is stored that could be taken back
void one.login('ada', { epoch: 1 })
// @ts-expect-error nobody sweeps what clients keep
sessions.on('expired', () => {})
// @ts-expect-error there is no secret to renew
sealed({ keys, timeouts: { renew: '1m' } })

// The adapters serve them as they do others.
createServer(
  withSession(sessions, (req, res, mine) => {
    expectTypeOf(req).toEqualTypeOf<IncomingMessage>()
    expectTypeOf(res).toEqualTypeOf<ServerResponse>()
    expectTypeOf(mine).toEqualTypeOf<SealedSession<ShopData>>()
    expectTypeOf(sessions.of(req)).toEqualTypeOf<SealedSession<ShopData>>()
    res.end(mine.data.cart.join())
  }),
)
express().use(session(revocable))
void cookieFor(sessions, { data: { cart: ['mug'] } })
// @ts-expect-error no such data
void cookieFor(sessions, { data: { basket: [] } })
