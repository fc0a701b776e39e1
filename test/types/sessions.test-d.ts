import { type } from 'arktype'
import * as v from 'valibot'
import { expectTypeOf } from 'vitest'
import * as z from 'zod'
import { rich } from '../../src/codecs/rich.ts'
import {
  type Clock,
  type Codec,
  type Collision,
  createSessions,
  type EventName,
  type Session,
  type SessionEvents,
  type SessionInfo,
  SojournError,
  type SojournErrorCode,
  type Sessions,
  type SessionsOptions,
  type StandardSchema,
  type TheftSignal,
} from '../../src/index.ts'
import { memory } from '../../src/stores/memory.ts'
import { cookieFor, fakeClock } from '../../src/testing/index.ts'

interface ShopData {
  cart: { sku: string; qty: number }[]
  theme: 'light' | 'dark'
  nickname?: string
}

const initial = (): ShopData => ({ cart: [], theme: 'light' })

// Data is what `initial` gives, …
const fromInitial = createSessions({ initial: () => ({ cart: [] as string[], visits: 0 }) })
expectTypeOf(fromInitial).toEqualTypeOf<Sessions<{ cart: string[]; visits: number }>>()
expectTypeOf(createSessions({ initial })).toEqualTypeOf<Sessions<ShopData>>()

// … what the schema says, …
const zod = z.object({ cart: z.array(z.object({ sku: z.string(), qty: z.number() })), theme: z.enum(['light', 'dark']).default('light') })
const valibot = v.object({
  cart: v.array(v.object({ sku: v.string(), qty: v.number() })),
  theme: v.optional(v.picklist(['light', 'dark']), 'light'),
})
const arktype = type({ cart: type({ sku: 'string', qty: 'number' }).array(), theme: "'light' | 'dark' = 'light'" })
type BySchema = Sessions<{ cart: { sku: string; qty: number }[]; theme: 'light' | 'dark' }>
const light = () => ({ cart: [], theme: 'light' as const })
expectTypeOf(createSessions({ schema: zod, initial: light })).toEqualTypeOf<BySchema>()
expectTypeOf(createSessions({ schema: valibot, initial: light })).toEqualTypeOf<BySchema>()
expectTypeOf(createSessions({ schema: arktype, initial: light })).toEqualTypeOf<BySchema>()

// … what the application names, …
const sessions = createSessions<ShopData>({ initial })
expectTypeOf(sessions).toEqualTypeOf<Sessions<ShopData>>()
expectTypeOf(createSessions<z.infer<typeof zod>>({ schema: zod, initial: () => ({ cart: [], theme: 'light' }) })).toEqualTypeOf<BySchema>()

// … or anything, of which nothing is known.
expectTypeOf(createSessions()).toEqualTypeOf<Sessions<Record<string, unknown>>>()
expectTypeOf(createSessions({ store: memory() })).toEqualTypeOf<Sessions<Record<string, unknown>>>()

// Whom to trust, and which policy to keep to.
createSessions({ crossOrigin: { trusted: ['https://accounts.example.com'] }, policy: 'nist-aal2' })
createSessions({ crossOrigin: false })
// @ts-expect-error either some origins or every one
createSessions({ crossOrigin: true })
// @ts-expect-error no such policy
createSessions({ policy: 'nist-aal4' })

// `initial` must be given where Data has properties that must be there, and there alone.
createSessions<{ nickname?: string }>()
createSessions<{ nickname?: string }>({ timeouts: { idle: '30m' } })
// @ts-expect-error initial is missing
createSessions<ShopData>()
// @ts-expect-error initial is missing
createSessions<ShopData>({ store: memory() })
// @ts-expect-error initial is missing
createSessions({ schema: zod })
// @ts-expect-error theme is missing
createSessions<ShopData>({ initial: () => ({ cart: [] }) })
// @ts-expect-error no such theme
createSessions<ShopData>({ initial: () => ({ cart: [], theme: 'blue' }) })
// @ts-expect-error a session's data are an object
createSessions<string>({ initial: () => 'data' })
// @ts-expect-error the schema is of other data
createSessions<ShopData>({ initial, schema: z.object({ other: z.string() }) })

// Every option is typed; what is misspelt is found.
createSessions<ShopData>({
  store: memory({ maxBytes: '1 MB' }),
  initial,
  timeouts: { idle: '30m', absolute: 43_200_000, renew: '15m', grace: '60s', slice: '1m', remembered: { idle: '14d', absolute: '90d' } },
  cookie: { name: 'sid', sameSite: 'strict', secure: true, partitioned: true },
  trustProxy: true,
  schema: zod,
  schemaVersion: 2,
  migrate: (data, version) => {
    expectTypeOf(data).toEqualTypeOf<unknown>()
    expectTypeOf(version).toEqualTypeOf<number>()
    return data
  },
  codec: rich(),
  merge: {
    keys: { cart: 'sku' },
    resolve: (collision) => {
      expectTypeOf(collision).toEqualTypeOf<Collision>()
      expectTypeOf(collision.mine).toEqualTypeOf<unknown>()
      return collision.mine
    },
  },
  epoch: async (userId) => {
    expectTypeOf(userId).toEqualTypeOf<string>()
    return await Promise.resolve(1)
  },
  sweepInterval: '60s',
  clock: fakeClock(),
})
// @ts-expect-error misspelt
createSessions({ timeout: { idle: '30m' } })
// @ts-expect-error misspelt
createSessions({ timeouts: { idel: '30m' } })
// @ts-expect-error no way to turn Secure off
createSessions({ cookie: { secure: false } })
// @ts-expect-error not a way of SameSite
createSessions({ cookie: { sameSite: 'Lax' } })
// @ts-expect-error no duration
createSessions({ timeouts: { idle: true } })

// Options may be undefined where an application passes them on.
declare const perhaps: {
  store: ReturnType<typeof memory> | undefined
  clock: Clock | undefined
  codec: Codec | undefined
  schema: StandardSchema<ShopData> | undefined
}
expectTypeOf(createSessions<ShopData>({ ...perhaps, initial })).toEqualTypeOf<Sessions<ShopData>>()
expectTypeOf<SessionsOptions<ShopData>['initial']>().toEqualTypeOf<(() => ShopData) | undefined>()

async function withSession(session: Session<ShopData>): Promise<void> {
  // The data are the application's own type, to be changed in place.
  expectTypeOf(session.data).toEqualTypeOf<ShopData>()
  expectTypeOf(session.data.cart).items.toEqualTypeOf<{ sku: string; qty: number }>()
  expectTypeOf(session.data.nickname).toEqualTypeOf<string | undefined>()
  session.data.theme = 'dark'
  session.data = { cart: [], theme: 'light' }
  // @ts-expect-error no such theme
  session.data.theme = 'blue'
  // @ts-expect-error no such property
  session.data.basket = []
  // @ts-expect-error not all of them
  session.data = { cart: [] }

  expectTypeOf<Pick<Session<ShopData>, 'id' | 'isNew' | 'userId' | 'createdAt' | 'lastSeenAt' | 'expiresAt'>>().toEqualTypeOf<{
    readonly id: string | null
    readonly isNew: boolean
    readonly userId: string | null
    readonly createdAt: number | null
    readonly lastSeenAt: number | null
    readonly expiresAt: number | null
  }>()
  // @ts-expect-error only login() says who it is
  session.userId = 'ada'

  // update() answers what its function does.
  expectTypeOf(session.update((data) => data.cart.length)).toEqualTypeOf<Promise<number>>()
  expectTypeOf(session.update((data): void => void (data.theme = 'dark'))).toEqualTypeOf<Promise<void>>()
  await session.update((data) => expectTypeOf(data).toEqualTypeOf<ShopData>())

  expectTypeOf(session.login('ada')).toEqualTypeOf<Promise<void>>()
  await session.login('ada', {
    remember: true,
    epoch: 3,
    carry: (data) => {
      expectTypeOf(data).toEqualTypeOf<ShopData>()
      return { cart: data.cart, theme: 'light' }
    },
  })
  await session.login('ada', { remember: undefined, carry: undefined, epoch: undefined })
  // @ts-expect-error a user's ID is text
  await session.login(5)
  // @ts-expect-error not all of the data
  await session.login('ada', { carry: (data) => ({ cart: data.cart }) })

  await session.login('ada', { assurance: 2 })
  expectTypeOf<Pick<Session<ShopData>, 'lastLoginAt' | 'assurance'>>().toEqualTypeOf<{
    readonly lastLoginAt: number | null
    readonly assurance: number
  }>()
  expectTypeOf(session.requireRecentLogin('10m', { assurance: 2 })).toEqualTypeOf<void>()
  // @ts-expect-error no age
  session.requireRecentLogin()

  expectTypeOf(session.logout()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.destroy()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.logout({ clearSiteData: true })).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.logout({ clearSiteData: ['cache', 'storage'] })).toEqualTypeOf<Promise<void>>()
  // @ts-expect-error nothing that browsers know
  await session.logout({ clearSiteData: ['history'] })
  expectTypeOf(session.csrfToken()).toEqualTypeOf<string>()
  expectTypeOf(session.checkCsrfToken).parameter(0).toEqualTypeOf<unknown>()
  expectTypeOf(session.save()).toEqualTypeOf<Promise<void>>()
  expectTypeOf(session.renew()).toEqualTypeOf<void>()
  expectTypeOf(session.touch()).toEqualTypeOf<void>()
  expectTypeOf(session.flash('info')).toEqualTypeOf<string[]>()
  expectTypeOf(session.flash('info', 'saved')).toEqualTypeOf<void>()
  expectTypeOf(session.commit()).toEqualTypeOf<Promise<Headers>>()
}
expectTypeOf(withSession).parameter(0).toEqualTypeOf<Session<ShopData>>()

// The manager.
expectTypeOf(sessions.open(new Headers())).toEqualTypeOf<Promise<Session<ShopData>>>()
expectTypeOf(sessions.open(new Request('http://localhost'))).toEqualTypeOf<Promise<Session<ShopData>>>()
expectTypeOf(sessions.of({})).toEqualTypeOf<Session<ShopData>>()
expectTypeOf(sessions.listByUser('ada')).toEqualTypeOf<AsyncIterable<SessionInfo>>()
expectTypeOf<SessionInfo>().toEqualTypeOf<{
  readonly id: string
  readonly userId: string | null
  readonly device: string | null
  readonly createdAt: number
  readonly lastSeenAt: number
  readonly expiresAt: number
}>()
expectTypeOf(sessions.end('id')).toEqualTypeOf<Promise<boolean>>()
expectTypeOf(sessions.endUser('ada')).toEqualTypeOf<Promise<number>>()
expectTypeOf(sessions.endUser('ada', { except: sessions.of({}).id })).toEqualTypeOf<Promise<number>>()
expectTypeOf(sessions.setAside('id')).toEqualTypeOf<Promise<string | null>>()
expectTypeOf(sessions.sweep()).toEqualTypeOf<Promise<number>>()
expectTypeOf(sessions.close()).toEqualTypeOf<Promise<void>>()
// @ts-expect-error not a request
void sessions.open('cookie')

// Events: each has its own type, and a listener may be asynchronous.
sessions.on('created', (event) => expectTypeOf(event).toEqualTypeOf<{ id: string; userId: string | null }>())
sessions.on('loggedIn', (event) => expectTypeOf(event).toEqualTypeOf<{ id: string; userId: string; previousId: string | null }>())
sessions.on('ended', ({ reason }) => expectTypeOf(reason).toEqualTypeOf<'logout' | 'ended' | 'reuse' | 'theft' | 'evicted'>())
sessions.on('conflict', ({ paths }) => expectTypeOf(paths).toEqualTypeOf<readonly string[]>())
sessions.on('suspected', ({ reason, signals }) => {
  expectTypeOf(reason).toEqualTypeOf<'late' | 'reuse' | 'unshown' | 'changed'>()
  expectTypeOf(signals).toEqualTypeOf<readonly TheftSignal[] | undefined>()
})
sessions.on('guessing', (event) => expectTypeOf(event).toEqualTypeOf<{ network: string; count: number }>())
sessions.on('limited', ({ limit }) => expectTypeOf(limit).toEqualTypeOf<'anonymousPerAddress' | 'anonymousTotal'>())
sessions.on('error', ({ error, id }) => {
  expectTypeOf(error).toEqualTypeOf<SojournError>()
  expectTypeOf(error.code).toEqualTypeOf<SojournErrorCode>()
  expectTypeOf(id).toEqualTypeOf<string | null>()
})
expectTypeOf(sessions.on('expired', async () => await Promise.resolve())).returns.toEqualTypeOf<void>()
expectTypeOf<EventName>().toEqualTypeOf<
  'created' | 'loggedIn' | 'renewed' | 'ended' | 'expired' | 'conflict' | 'suspected' | 'refused' | 'guessing' | 'limited' | 'error'
>()
sessions.on('refused', (event) => expectTypeOf(event).toEqualTypeOf<{ method: string; origin: string | null }>())
expectTypeOf<keyof SessionEvents>().toEqualTypeOf<EventName>()
// @ts-expect-error no such event
sessions.on('login', () => {})
// @ts-expect-error no such property
sessions.on('renewed', ({ reason }) => reason)

// Theft and limits.
createSessions({
  theft: {
    decide(signals, session) {
      expectTypeOf(signals).toEqualTypeOf<readonly TheftSignal[]>()
      expectTypeOf(session).toEqualTypeOf<SessionInfo>()
      return session.userId === null ? 'allow' : 'stepUp'
    },
  },
})
createSessions({ theft: { weights: { network: 2 } }, limits: { anonymousPerAddress: 500, crawlers: 'share' } })
// @ts-expect-error no such answer
createSessions({ theft: { decide: () => 'logout' } })
// @ts-expect-error it must be decided at once
createSessions({ theft: { decide: async () => await Promise.resolve('end' as const) } })
// @ts-expect-error no such signal
createSessions({ theft: { weights: { colour: 2 } } })

// Errors.
expectTypeOf(new SojournError('ERR_SOJOURN_STORE', 'down')).toExtend<Error & { code: SojournErrorCode; status: number }>()
// @ts-expect-error no such code
void new SojournError('ERR_OTHER', 'down')

// For tests of an application.
expectTypeOf(cookieFor(sessions, { userId: 'ada', data: { theme: 'dark' } })).toEqualTypeOf<Promise<string>>()
// @ts-expect-error no such theme
void cookieFor(sessions, { data: { theme: 'blue' } })

// No `any` comes out of the library, and none is taken for what is typed.
expectTypeOf<Session<ShopData>['data']>().not.toBeAny()
expectTypeOf<Awaited<ReturnType<typeof sessions.open>>>().not.toBeAny()
expectTypeOf<ReturnType<typeof sessions.of>['data']['cart']>().not.toBeAny()
expectTypeOf<SessionEvents[EventName]>().not.toBeAny()
expectTypeOf<Collision['base']>().not.toBeAny()
expectTypeOf<ReturnType<Codec['decode']>>().toEqualTypeOf<unknown>()
expectTypeOf<Sessions<{ a: string }>>().not.toExtend<Sessions<{ a: number }>>()

// Keys may come from the environment: one that is not set is an error at start, not of types.
createSessions({ encryption: { keys: [process.env['SESSION_KEY'], new Uint8Array(32)], bind: 'client' } })
createSessions({ encryption: undefined })
// @ts-expect-error keys are a list, since they are changed one day
createSessions({ encryption: { keys: 'secret' } })
// @ts-expect-error there are two ways to bind
createSessions({ encryption: { keys: ['secret'], bind: 'both' } })
// @ts-expect-error encryption without keys is none
createSessions({ encryption: { bind: 'client' } })
