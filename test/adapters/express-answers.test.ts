import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RequestHandler } from 'express'
import { afterAll, describe, expect, test } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import { application, counting, expressRows, sids } from './express-application.ts'
import { valueOf, valuesOf } from './wire.ts'

describe.each(expressRows)('Express $version, on a store that answers $answers', (row) => {
  const { express } = row
  const folder = mkdtempSync(join(tmpdir(), 'sojourn-express-'))
  afterAll(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'page.txt')
  writeFileSync(file, 'a page\n'.repeat(20_000))
  const files = 'a page\n'.repeat(20_000)

  const answers: { how: string; answer: RequestHandler; status?: number; body: string; header?: readonly [string, string | RegExp] }[] = [
    {
      how: 'res.send(text)',
      answer: (_req, res) => void res.send('<p>hi</p>'),
      body: '<p>hi</p>',
      header: ['content-type', 'text/html; charset=utf-8'],
    },
    { how: 'res.send(buffer)', answer: (_req, res) => void res.send(Buffer.from('hi')), body: 'hi' },
    { how: 'res.json', answer: (_req, res) => void res.json({ hi: 1 }), body: '{"hi":1}', header: ['etag', /^W\//] },
    { how: 'res.jsonp', answer: (_req, res) => void res.jsonp({ hi: 1 }), body: '{"hi":1}' },
    {
      how: 'res.redirect',
      answer: (_req, res) => res.redirect('/cart'),
      status: 302,
      body: 'Found. Redirecting to /cart',
      header: ['location', '/cart'],
    },
    { how: 'res.redirect(303)', answer: (_req, res) => res.redirect(303, '/cart'), status: 303, body: 'See Other. Redirecting to /cart' },
    { how: 'res.sendStatus', answer: (_req, res) => void res.sendStatus(202), status: 202, body: 'Accepted' },
    { how: 'res.status(204).end', answer: (_req, res) => void res.status(204).end(), status: 204, body: '' },
    {
      how: 'res.sendFile',
      answer: (_req, res) => res.sendFile(file),
      body: files,
      header: ['content-type', /^text\/plain; charset=utf-8$/i],
    },
    {
      how: 'res.download',
      answer: (_req, res) => res.download(file),
      body: files,
      header: ['content-disposition', /^attachment; filename="?page\.txt/],
    },
    { how: 'express.static', answer: express.static(folder, { index: 'page.txt' }), body: files, header: ['accept-ranges', 'bytes'] },
    { how: 'res.render', answer: (_req, res) => res.render('hello', { name: 'Ada' }), body: '<p>Hello Ada</p>' },
    {
      how: 'res.format',
      answer: (_req, res) => res.format({ text: () => void res.send('plain') }),
      body: 'plain',
      header: ['vary', 'Accept'],
    },
    {
      how: 'res.cookie and res.clearCookie',
      answer: (_req, res) => void res.cookie('theme', 'dark').clearCookie('lang').send('baked'),
      body: 'baked',
      header: ['set-cookie', 'theme=dark; Path=/'],
    },
    { how: 'next(), which is a 404', answer: (_req, _res, next) => next(), status: 404, body: '' },
  ]

  test.each(answers)('$how commits before it goes out', async ({ answer, status = 200, body, header }) => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.engine('html', (_path, options, done) => done(null, `<p>Hello ${(options as { name: string }).name}</p>`))
      app.set('view engine', 'html')
      app.set('views', folder)
      writeFileSync(join(folder, 'hello.html'), '')
      app.use(session(sessions), counting(sessions))
      app.use(answer)
    })

    const answered = await ask()
    expect(answered.status).toBe(status)
    if (status !== 404) expect(answered.body.toString() === body, 'the body').toBe(true)
    if (header !== undefined) expect(valueOf(answered.headers, header[0])).toMatch(header[1])
    expect(sids(answered)).toHaveLength(1)
    expect(valueOf(answered.headers, 'cache-control')).toBe('no-store')
    expect(store.acknowledged.size).toBe(1)

    store.broken = true
    const refused = await ask()
    expect([refused.status, refused.body.toString()]).toEqual([503, 'The session could not be opened or stored.\n'])
    for (const gone of ['set-cookie', 'etag', 'location', 'content-disposition', 'last-modified'])
      expect(valuesOf(refused.headers, gone)).toEqual([])
  })

  test('a conditional request is answered 304, committed', async () => {
    const { ask, store } = await application(row, (app, sessions) => {
      app.use(session(sessions), counting(sessions))
      app.get('/', (_req, res) => void res.send('always the same'))
    })
    const etag = valueOf((await ask()).headers, 'etag') ?? ''

    const { status, body } = await ask({ headers: { 'if-none-match': etag } })
    expect([status, body.length]).toEqual([304, 0])
    expect(store.acknowledged.size).toBe(2)
  })
})
