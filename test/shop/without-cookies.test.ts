import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { chromium, type BrowserContext } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { args, program } from '../browser/chromium.ts'
import { startShop, temporaryFolder, temporaryStore, type ShopProcess } from './server.ts'

let shop: ShopProcess
const contexts: BrowserContext[] = []

/** Another site, which writes down what it is told. */
const asked: { readonly url: string; readonly headers: IncomingHttpHeaders }[] = []
const elsewhere = createServer((req, res) => {
  asked.push({ url: req.url ?? '', headers: req.headers })
  res.setHeader('Content-Type', 'text/html')
  res.end('<p>Another site</p>')
})
const elsewhereUrl = (): string => `http://localhost:${(elsewhere.address() as AddressInfo).port}`

beforeAll(async () => {
  elsewhere.listen(0, '127.0.0.1')
  await once(elsewhere, 'listening')
  shop = await startShop({ SESSION_STORE: temporaryStore(), SESSION_TRANSPORT: 'cookie,url', ACCESS_LOG: '1' })
})

afterAll(async () => {
  for (const context of contexts) await context.close()
  elsewhere.closeAllConnections()
  elsewhere.close()
})

/** A browser whose settings refuse all cookies, as its user may do; without scripts. */
async function refusingCookies(options: { userAgent?: string } = {}): Promise<BrowserContext> {
  const folder = temporaryFolder()
  mkdirSync(join(folder, 'Default'))
  writeFileSync(join(folder, 'Default', 'Preferences'), JSON.stringify({ profile: { default_content_setting_values: { cookies: 2 } } }))
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: program,
    args,
    baseURL: shop.url,
    javaScriptEnabled: false,
    ...options,
  })
  contexts.push(context)
  return context
}

const tokens = new Set<string>()
function note(address: string): string {
  const token = /;sid=([\w-]{48})/.exec(address)?.[1] ?? ''
  if (token !== '') tokens.add(token)
  return token
}

describe('in Chromium, cookies off', () => {
  it('a visitor shops, logs in with the cart, sees the account and logs out, and the token gets nowhere else', async () => {
    const context = await refusingCookies()
    const page = await context.newPage()
    const sending: Promise<Record<string, string>>[] = []
    page.on('request', (request) => void (note(request.url()), sending.push(request.allHeaders())))

    await page.goto('/')
    expect(await page.getByRole('link', { name: 'See the goods' }).getAttribute('href')).toBe('#goods')
    expect(note(await page.content()), 'nothing is stored of who only looks').toBe('')

    await page.getByLabel('How many of Wool blanket').fill('3')
    await page.getByRole('button', { name: 'Add Wool blanket to the cart' }).click()
    await page.getByText('Added 3 × Wool blanket to your cart.').waitFor()
    const visit = note(page.url())
    expect(visit).toHaveLength(48)
    await page.getByRole('button', { name: 'One Wool blanket less' }).click()
    await page.getByRole('link', { name: 'Keep looking' }).click()
    await page.getByRole('button', { name: 'Switch to the dark theme' }).click()

    await page.getByRole('link', { name: 'Log in' }).click()
    await page.getByLabel('User name').fill('ada')
    await page.getByLabel('Password').fill('countess')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByText('You are logged in. Welcome, Ada Lovelace.').waitFor()
    const member = note(page.url())
    expect(member).toHaveLength(48)
    expect(member.slice(0, 16)).not.toBe(visit.slice(0, 16))

    await page.getByRole('link', { name: /Cart/ }).click()
    expect(await page.getByRole('group', { name: 'How many of Wool blanket' }).locator('output').textContent()).toBe('2')
    await page.getByRole('link', { name: /Ada/ }).click()
    await page.getByText('You are logged in here and nowhere else.').waitFor()
    const account = page.url()
    await page.reload()
    await page.getByText('You are logged in here and nowhere else.').waitFor()

    // Out to another site, and back by the browser's own button.
    await page.evaluate((to) => {
      document.querySelector('main')!.insertAdjacentHTML('beforeend', `<a href="${to}/landing">Out</a>`)
    }, elsewhereUrl())
    await page.getByRole('link', { name: 'Out' }).click()
    await page.getByText('Another site').waitFor()
    await page.goBack()
    await page.getByText('Hello, Ada Lovelace').waitFor()

    await page.getByRole('button', { name: 'Log out', exact: true }).click()
    await page.getByText('You are logged out.').waitFor()
    expect(note(page.url())).toBe('')
    await page.goto(account)
    expect(new URL(page.url()).pathname).toBe('/login')
    expect(await context.cookies()).toEqual([])

    const sent = await Promise.all(sending)
    expect(sent.length).toBeGreaterThan(15)
    expect(
      sent.filter(({ cookie }) => cookie !== undefined),
      'the browser did refuse cookies',
    ).toEqual([])
    expect(sent.map(({ referer }) => referer ?? '').filter((referer) => referer.includes('sid='))).toEqual([])
    expect(asked.map(({ url, headers }) => [url, headers.referer]).filter(([url]) => url === '/landing')).toEqual([['/landing', undefined]])
  })

  it('a link from elsewhere logs nobody in: not from another site, and not in another browser', async () => {
    const owner = await (await refusingCookies()).newPage()
    await owner.goto('/login')
    await owner.getByLabel('User name').fill('alan')
    await owner.getByLabel('Password').fill('enigma')
    await owner.getByRole('button', { name: 'Log in' }).click()
    await owner.getByText('Welcome, Alan Turing').waitFor()
    const link = owner.url().replace(/\/(?=;)/, '/account')
    note(link)

    // The same browser, led by another site's page.
    await owner.goto(elsewhereUrl())
    await owner.setContent(`<a href="${link}">Look at this</a>`)
    await owner.getByRole('link', { name: 'Look at this' }).click()
    await owner.getByText('Welcome back').waitFor()
    expect(new URL(owner.url()).pathname).toBe('/login')

    const stranger = await (await refusingCookies({ userAgent: 'Mozilla/5.0 (iPhone) Safari/604.1' })).newPage()
    await stranger.goto(link)
    expect(new URL(stranger.url()).pathname).toBe('/login')

    // As a bookmark, in its own browser, it still is what it was.
    await owner.goto(link)
    await owner.getByText('Hello, Alan Turing').waitFor()
  })

  it('with cookies on, the same shop has clean links from the second page on', async () => {
    const browser = await chromium.launch({ executablePath: program, args })
    const context = await browser.newContext({ baseURL: shop.url, javaScriptEnabled: false })
    const page = await context.newPage()
    await page.goto('/')
    await page.getByRole('button', { name: 'Add Wool blanket to the cart' }).click()
    note(page.url())
    await page.getByText('Added 1 × Wool blanket to your cart.').waitFor()
    expect(await page.content()).not.toContain('sid=')
    await page.getByRole('link', { name: 'Keep looking' }).click()
    expect(page.url()).not.toContain('sid=')
    const [before] = await context.cookies()
    expect([...tokens], 'what the first redirect had in it was replaced').not.toContain(before?.value)
    await page.getByRole('link', { name: /Cart/ }).click()
    await page.getByText('Wool blanket', { exact: true }).first().waitFor()
    await browser.close()
  })

  it('and the access log of it all has no token', async () => {
    const { stdout, stderr } = await shop.end('SIGTERM')
    expect(stdout).toContain('["POST","/login",303')
    expect(stdout).toContain('["GET","/account",200')
    expect(tokens.size).toBeGreaterThan(3)
    for (const token of tokens) expect(stdout + stderr).not.toContain(token.slice(16))
    expect(stdout + stderr).not.toContain('sid=')
  })
})
