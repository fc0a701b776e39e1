import { describe, expect, test } from 'vitest'
import { session as expressSession } from '../../src/adapters/express.ts'
import { session as fastifySession } from '../../src/adapters/fastify.ts'
import type { SessionEvents } from '../../src/core/events.ts'
import type { Session } from '../../src/core/session.ts'
import { type FakeClock, fakeClock } from '../../src/testing/fake-clock.ts'
import { application, expressRows } from './express-application.ts'
import { application as fastifyApplication, fastifyRows } from './fastify-application.ts'
import { type Data, site, type SiteOptions, type VisitedSite } from './site.ts'
import { type Answer, valueOf, valuesOf } from './wire.ts'

/** What the site does with a request, whatever it runs on. */
async function serve(path: string, session: Session<Data>): Promise<string> {
  const [route, assurance = '1'] = path.slice(1).split('?')
  if (route === 'login') await session.login('ada', { assurance: Number(assurance) })
  else if (route === 'pay') session.requireRecentLogin('10m', { assurance: Number(assurance) })
  return `${route} ${session.userId} ${session.assurance}`
}

type Options = NonNullable<SiteOptions['sessions']>

const rows: { name: string; start: (options: Options) => Promise<VisitedSite> }[] = [
  ...[false, true].flatMap((http2) =>
    [0, 4].map((delay) => ({
      name: `${http2 ? 'http2' : 'http'}, a store that takes ${delay} ms`,
      start: (options: Options) =>
        site(async (req, res, session) => void res.end(await serve(req.url ?? '', session)), {
          http2,
          delay,
          sessions: { ...options, trustProxy: true },
        }),
    })),
  ),
  ...expressRows.map((row) => ({
    name: `Express ${row.version}, a store that answers ${row.answers}`,
    start: (options: Options) =>
      application(
        row,
        (app, sessions) => {
          app.set('trust proxy', true)
          app.use(expressSession(sessions))
          app.use((req, res, next) => void serve(req.originalUrl, sessions.of(req)).then((text) => res.send(text), next))
        },
        options,
      ),
  })),
  ...fastifyRows.map((row) => ({
    name: `Fastify 5, a store that answers ${row.answers}`,
    start: (options: Options) =>
      fastifyApplication(
        row,
        async (app, sessions) => {
          await app.register(fastifySession, { sessions })
          app.get('/*', (request) => serve(request.url, sessions.of(request)))
        },
        { sessions: options, fastify: () => ({ trustProxy: true }) },
      ),
  })),
]

const firefox = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0'
const updated = firefox.replaceAll('145', '146')
const chrome = 'Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36'
const chromeOnLinux = chrome.replace('Windows NT 10.0; Win64; x64', 'X11; Linux x86_64')
const [home, elsewhere] = ['192.0.2.7', '2001:db8::5']

/** A client with the cookie that the last answer set, whichever client got it. */
class Wire {
  readonly clock: FakeClock
  readonly suspected: SessionEvents['suspected'][] = []
  readonly ended: SessionEvents['ended'][] = []
  readonly #site: VisitedSite
  #cookie: string | undefined

  constructor(site: VisitedSite, clock: FakeClock) {
    this.#site = site
    this.clock = clock
    site.sessions.on('suspected', (event) => this.suspected.push(event))
    site.sessions.on('ended', (event) => this.ended.push(event))
  }

  async ask(path: string, agent = firefox, address = home): Promise<Answer<null>> {
    const headers = { 'User-Agent': agent, 'X-Forwarded-For': address }
    const answer = await this.#site.ask({ path, cookie: this.#cookie, headers })
    const set = valuesOf(answer.headers, 'set-cookie')[0]
    if (set !== undefined) this.#cookie = set.slice(0, set.indexOf(';'))
    return answer
  }

  /** The status, and for a success what was said. */
  async say(path: string, agent?: string, address?: string): Promise<string> {
    const { status, body } = await this.ask(path, agent, address)
    return status === 200 ? body.toString() : String(status)
  }
}

describe.each(rows)('over $name', ({ start }) => {
  async function member(): Promise<Wire> {
    const clock = fakeClock()
    const wire = new Wire(await start({ clock }), clock)
    expect(await wire.say('/login')).toBe('login ada 1')
    return wire
  }

  test('a step that needs a recent login is answered 401 when there is none, and passes after one', async () => {
    const wire = await member()
    expect(await wire.say('/pay')).toBe('pay ada 1')
    wire.clock.advance(601_000)
    const { status, headers, body } = await wire.ask('/pay')
    expect(status).toBe(401)
    expect(body.toString()).not.toContain('pay ada')
    expect(valuesOf(headers, 'set-cookie')).toEqual([])
    expect(valueOf(headers, 'cache-control')).toMatch(/no-store|private/)
    expect(await wire.say('/')).toBe(' ada 1')
    expect(await wire.say('/login')).toBe('login ada 1')
    expect(await wire.say('/pay')).toBe('pay ada 1')
  })

  test('a visitor without a login is answered 401', async () => {
    const wire = new Wire(await start({}), fakeClock())
    expect(await wire.say('/pay')).toBe('401')
  })

  test('a step that needs a second factor passes after a login with one', async () => {
    const wire = await member()
    expect(await wire.say('/pay?2')).toBe('401')
    expect(await wire.say('/login?2')).toBe('login ada 2')
    expect(await wire.say('/pay?2')).toBe('pay ada 2')
  })

  test('a phone that leaves the wifi, and a browser that is updated, go on, and nobody is alarmed', async () => {
    const wire = await member()
    expect(await wire.say('/pay', firefox, elsewhere)).toBe('pay ada 1')
    expect(await wire.say('/pay', updated, elsewhere)).toBe('pay ada 1')
    expect(await wire.say('/pay', updated, home)).toBe('pay ada 1')
    expect(wire.suspected).toEqual([])
  })

  test('another browser is served, with nothing that needs a recent login, until a new login', async () => {
    const wire = await member()
    expect(await wire.say('/', chrome)).toBe(' ada 0')
    expect(await wire.say('/pay', chrome)).toBe('401')
    expect(await wire.say('/pay')).toBe('401')
    expect(wire.suspected.map(({ reason, signals }) => [reason, signals])).toEqual([
      ['changed', ['browser']],
      ['changed', ['browser', 'alternating']],
    ])
    expect(await wire.say('/login')).toBe('login ada 1')
    expect(await wire.say('/pay')).toBe('pay ada 1')
  })

  test('a cookie that was copied to another browser on another platform in another network is worth nothing, to anybody', async () => {
    const wire = await member()
    expect(await wire.say('/', chromeOnLinux, elsewhere)).toBe(' null 0')
    expect(await wire.say('/')).toBe(' null 0')
    expect(wire.suspected).toMatchObject([{ userId: 'ada', reason: 'changed', signals: ['browser', 'platform', 'network'] }])
    expect(wire.ended).toMatchObject([{ userId: 'ada', reason: 'theft' }])
  })
})

test('withSession answers JSON with the code where the client asked for that, and a line of text elsewhere', async () => {
  const { ask } = await site((_req, _res, session) => session.requireRecentLogin('10m'))
  const plain = await ask()
  expect([plain.status, plain.body.toString()]).toEqual([401, 'This step was refused: nobody is logged in; log in.\n'])
  expect(valueOf(plain.headers, 'cache-control')).toBe('no-store')
  const json = await ask({ headers: { Accept: 'application/json' } })
  expect([json.status, JSON.parse(json.body.toString())]).toEqual([
    401,
    { error: { code: 'ERR_SOJOURN_LOGIN_REQUIRED', message: 'This step was refused: nobody is logged in; log in.' } },
  ])
})
