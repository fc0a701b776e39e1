import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import { type AddressInfo, connect as connectRaw } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { WebSocket, WebSocketServer } from 'ws'
import { withSession } from '../../src/adapters/node.ts'
import type { Sessions } from '../../src/core/sessions.ts'
import { cookie, createSessions, header, SojournError, url } from '../../src/index.ts'
import { disk } from '../../src/stores/disk.ts'
import { cookieFor } from '../../src/testing/cookie-for.ts'

interface Data {
  greeting: string
}

const bound = 400

/** A process: its sessions on the shared folder, and a server of pages, sockets and event streams. */
async function start(folder: string): Promise<{ sessions: Sessions<Data>; server: Server; port: number; open: () => number }> {
  const sessions = createSessions<Data>({
    store: disk(folder),
    transports: [cookie(), url(), header()],
    initial: () => ({ greeting: 'welcome' }),
    watchInterval: bound,
  })
  const server = createServer(
    withSession(sessions, async (req, res, session) => {
      if (req.url === '/logout') await session.logout()
      if (req.url !== '/events' || session.id === null) return void res.end()
      res.writeHead(200, { 'Content-Type': 'text/event-stream' })
      res.write(`data: ${session.data.greeting}\n\n`)
      const stop = sessions.watch(session.id, (reason) => res.end(`event: end\ndata: ${reason}\n\n`))
      res.on('close', stop)
    }),
  )
  const sockets = new WebSocketServer({ noServer: true })
  async function upgrade(req: IncomingMessage, socket: Parameters<typeof sockets.handleUpgrade>[1], head: Buffer): Promise<void> {
    const session = await sessions.open(req)
    const { id } = session
    if (id === null || session.userId === null) return void socket.end('HTTP/1.1 401 Unauthorized\r\nConnection: close\r\n\r\n')
    sockets.handleUpgrade(req, socket, head, (ws) => {
      ws.send(`${session.data.greeting} ${session.userId} at ${req.url} by ${session.transport}`)
      const stop = sessions.watch(id, (reason) => ws.close(4401, reason))
      ws.on('close', stop)
    })
  }
  server.on('upgrade', (req, socket, head) => {
    // Node leaves the socket without a listener, and a client may go at any time.
    socket.on('error', () => socket.destroy())
    upgrade(req, socket, head).catch((error: unknown) => {
      const status = error instanceof SojournError ? error.status : 500
      socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nConnection: close\r\n\r\n`)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    for (const socket of sockets.clients) socket.terminate()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await sessions.close()
  })
  return { sessions, server, port: (server.address() as AddressInfo).port, open: () => sockets.clients.size }
}

let here: Awaited<ReturnType<typeof start>>
let there: Awaited<ReturnType<typeof start>>

beforeEach(async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-sockets-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }))
  here = await start(folder)
  there = await start(folder)
})

const member = (userId = 'ada'): Promise<string> => cookieFor(here.sessions, { userId, data: { greeting: 'hello' } })
const idOf = (pair: string): string => pair.slice('sid='.length, 'sid='.length + 16)

interface Connection {
  readonly socket: WebSocket
  readonly greeting: string
  /** Resolves when the server closes it: with its code and reason. */
  readonly closed: Promise<string>
}

async function connect(path: string, headers: Readonly<Record<string, string>> = {}, port = here.port): Promise<Connection> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, { headers })
  const closed = new Promise<string>((resolve) => void socket.on('close', (code, reason) => resolve(`${code} ${reason.toString()}`)))
  const greeting = new Promise<string>((resolve, reject) => {
    socket.on('message', (data: Buffer) => resolve(data.toString()))
    socket.on('error', reject)
  })
  return { socket, greeting: await greeting, closed }
}

describe('a WebSocket', () => {
  test('is opened under the session of its upgrade request, and closed at once when that ends here', async () => {
    const pair = await member()
    const first = await connect('/live', { Cookie: pair })
    const second = await connect('/live', { Cookie: pair })
    const other = await connect('/live', { Cookie: await member('alan') })
    expect(first.greeting).toBe('hello ada at /live by cookie')
    await fetch(`http://127.0.0.1:${here.port}/logout`, { method: 'POST', headers: { Cookie: pair } })
    expect(await Promise.all([first.closed, second.closed])).toEqual(['4401 logout', '4401 logout'])
    expect(other.socket.readyState).toBe(WebSocket.OPEN)
    other.socket.terminate()
  })

  test('is closed within the interval when another process ends its session', async () => {
    const pair = await member()
    const { closed } = await connect('/live', { Cookie: pair })
    const begin = performance.now()
    await there.sessions.end(idOf(pair))
    expect(await closed).toBe('4401 ended')
    expect(performance.now() - begin).toBeLessThan(bound * 2 + 1000)
  })

  test('is refused to who has no session', async () => {
    await expect(connect('/live')).rejects.toThrow('401')
    await expect(connect('/live', { Cookie: `sid=${'a'.repeat(48)}` })).rejects.toThrow('401')
  })

  test('that its client resets, as soon as it was refused or before, ends no process', async () => {
    const uncaught: unknown[] = []
    const note = (error: unknown): void => void uncaught.push(error)
    process.on('uncaughtExceptionMonitor', note)
    onTestFinished(() => void process.off('uncaughtExceptionMonitor', note))
    for (let i = 0; i < 20; i++) {
      const client = connectRaw(here.port, '127.0.0.1')
      client.on('error', () => {})
      client.write('GET /live HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      if (i % 2 === 0) await once(client, 'data')
      else await once(client, 'connect')
      client.resetAndDestroy()
      await once(client, 'close')
    }
    await expect(connect('/live'), 'the server is there').rejects.toThrow('401')
    expect(uncaught).toEqual([])
  })

  test.each([
    ['by Origin', { Origin: 'https://evil.example' }],
    ['by Sec-Fetch-Site as well', { Origin: 'https://evil.example', 'Sec-Fetch-Site': 'cross-site' }],
    ['by a sister host', { Origin: 'http://blog.127.0.0.1.example', 'Sec-Fetch-Site': 'same-site' }],
  ])("of another site's page is refused, though it brings the visitor's cookie: %s", async (_how, headers) => {
    await expect(connect('/live', { Cookie: await member(), ...headers })).rejects.toThrow('403')
  })

  test("of the application's own page, or of no page at all, is served", async () => {
    const own = `http://127.0.0.1:${here.port}`
    for (const headers of [{}, { Origin: own }, { Origin: own, 'Sec-Fetch-Site': 'same-origin' }]) {
      const { greeting, socket } = await connect('/live', { Cookie: await member(), ...headers })
      expect(greeting).toBe('hello ada at /live by cookie')
      socket.terminate()
    }
  })

  test('is opened by a token in its URL, which nobody sees, and by one in a header', async () => {
    const agent = { 'user-agent': 'a browser' }
    const visit = await here.sessions.open({ headers: agent, socket: {} })
    await visit.login('ada')
    const link = visit.url('/live?x=1')
    await visit.commit()
    const byUrl = await connect(link, agent)
    expect(byUrl.greeting).toBe('welcome ada at /live?x=1 by url')

    const app = await here.sessions.open({ headers: { prefer: 'session-token' }, socket: {} })
    await app.login('alan')
    const byHeader = await connect('/live', { Authorization: `Bearer ${(await app.commit()).get('session-token')}` })
    expect(byHeader.greeting).toBe('welcome alan at /live by header')
    await here.sessions.endUser('ada')
    await here.sessions.endUser('alan')
    expect(await Promise.all([byUrl.closed, byHeader.closed])).toEqual(['4401 ended', '4401 ended'])
  })
})

describe('an event stream', () => {
  async function listen(pair: string): Promise<{ begins: string; rest: Promise<string> }> {
    const response = await fetch(`http://127.0.0.1:${here.port}/events`, { headers: { Cookie: pair } })
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
    const begins = (await reader.read()).value ?? ''
    async function read(): Promise<string> {
      let text = ''
      for (let part = await reader.read(); !part.done; part = await reader.read()) text += part.value
      return text
    }
    return { begins, rest: read() }
  }

  test('ends at once when its session is moved by a login here', async () => {
    const pair = await member()
    const { begins, rest } = await listen(pair)
    expect(begins).toBe('data: hello\n\n')
    const again = await here.sessions.open(new Headers({ cookie: pair }))
    await again.login('ada')
    expect(await rest).toBe('event: end\ndata: login\n\n')
  })

  test('ends within the interval when another process ends all of its user', async () => {
    const pair = await member()
    const { rest } = await listen(pair)
    expect(await there.sessions.endUser('ada')).toBe(1)
    expect(await rest).toBe('event: end\ndata: ended\n\n')
  })
})
