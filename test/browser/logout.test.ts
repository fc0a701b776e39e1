import express from 'express'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { session } from '../../src/adapters/express.ts'
import type { LogoutOptions } from '../../src/core/session.ts'
import { createSessions } from '../../src/index.ts'
import { listen } from '../adapters/server.ts'
import { launchChromium } from './chromium.ts'

let browser: Browser
// As people have it: pages that were left stay in memory for the way back, which Playwright switches off otherwise.
beforeAll(async () => void (browser = await launchChromium({ ignoreDefaultArgs: ['--disable-back-forward-cache'] })))
afterAll(async () => await browser?.close())

const form = (action: string) => `<form method="post" action="${action}"><button>${action}</button></form>`

/** Each page says itself what it shows, since Playwright loses sight of one that comes back from memory. */
const telling = `<script>
  addEventListener('pageshow', ({ persisted }) => {
    navigator.sendBeacon('/shown', document.querySelector('p').textContent + (persisted ? ' (from memory)' : ''))
  })
</script>`

interface Visit {
  readonly page: Page
  /** What was shown, page by page. */
  readonly shown: string[]
}

interface Setting {
  readonly cacheControl?: string
  /** Whether the page that the logout leads to has the browser forget what it kept of the site. */
  readonly forgets?: boolean
  readonly clearSiteData?: LogoutOptions['clearSiteData']
}

/** A site whose account page is cached as said, and a visit to it by somebody who has logged in. */
async function visit({ cacheControl, forgets = false, clearSiteData }: Setting): Promise<Visit> {
  const shown: string[] = []
  const sessions = createSessions()
  const app = express()
  app.post('/shown', express.text(), (req, res) => {
    shown.push(String(req.body))
    res.end()
  })
  app.get('/forget.css', (_req, res) => void res.set('Clear-Site-Data', '"cache"').type('css').send())
  app.use(session(sessions))
  app.post('/login', async (req, res) => {
    await sessions.of(req).login('ada')
    res.redirect(303, '/account')
  })
  app.post('/logout', async (req, res) => {
    await sessions.of(req).logout({ clearSiteData })
    res.redirect(303, forgets ? '/?bye' : '/')
  })
  app.get('/account', (req, res) => {
    if (cacheControl !== undefined) res.set('Cache-Control', cacheControl)
    const { userId } = sessions.of(req)
    res.send((userId === null ? '<p>Log in first</p>' : `<p>The account of ${userId}</p>${form('/logout')}`) + telling)
  })
  app.get('/', (req, res) => {
    const forgetting = 'bye' in req.query ? '<link rel="stylesheet" href="/forget.css">' : ''
    res.send(`${forgetting}<p>Welcome</p>${form('/login')}${telling}`)
  })
  const server = await listen(app)
  const context = await browser.newContext({ baseURL: server.url })
  onTestFinished(async () => {
    await context.close()
    await server.close()
    await sessions.close()
  })
  const page = await context.newPage()
  await page.goto('/')
  await page.getByRole('button', { name: '/login' }).click()
  await page.getByText('The account of ada').waitFor()
  return { page, shown }
}

async function logOut(page: Page): Promise<void> {
  await page.getByRole('button', { name: '/logout' }).click()
  await page.getByText('Welcome').waitFor()
}

/** @returns what was shown on the way back */
async function logOutAndGoBack({ page, shown }: Visit): Promise<string> {
  await logOut(page)
  await vi.waitUntil(() => shown.length === 3, { timeout: 10_000 })
  // Not awaited: the page that was asked is gone.
  page.evaluate(() => setTimeout(() => history.back())).catch(() => {})
  await vi.waitUntil(() => shown.length === 4, { timeout: 10_000 })
  expect(shown.slice(0, 3)).toEqual(['Welcome', 'The account of ada', 'Welcome'])
  return shown[3]!
}

describe('back after a logout, in Chromium', () => {
  test('a page that may be kept is shown again: what the next tests are about', async () => {
    expect(await logOutAndGoBack(await visit({}))).toBe('The account of ada (from memory)')
  })

  // Where the page was the first after the login, Chromium 156 passes over the change of the cookie, and no-store alone is not enough.
  test.each(['no-store', 'private'])('one with %s is not, where the page after the logout has the cache cleared', async (cacheControl) => {
    expect(await logOutAndGoBack(await visit({ cacheControl, forgets: true }))).toBe('Log in first')
  })
})

describe('Clear-Site-Data of a logout, in Chromium', () => {
  test.each<[LogoutOptions['clearSiteData'], { storage: string | null; cookies: string[] }]>([
    [false, { storage: 'kept', cookies: ['other'] }],
    [['storage'], { storage: null, cookies: ['other'] }],
    [['cookies'], { storage: 'kept', cookies: [] }],
    [true, { storage: null, cookies: [] }],
  ])('%j leaves %j', async (clearSiteData, left) => {
    const { page } = await visit({ clearSiteData })
    await page.evaluate(() => {
      localStorage.setItem('draft', 'kept')
      document.cookie = 'other=1'
    })
    expect((await page.context().cookies()).map(({ name }) => name).sort()).toEqual(['other', 'sid'])
    await logOut(page)
    const storage = await page.evaluate(() => localStorage.getItem('draft'))
    expect({ storage, cookies: (await page.context().cookies()).map(({ name }) => name) }).toEqual(left)
  })
})
