import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { args, program } from './chromium.ts'
import { startShop, temporaryFolder, temporaryStore, type ShopProcess } from './server.ts'

const iPhone =
  'Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Mobile/15E148 Safari/604.1'

// UPDATE_SCREENSHOTS=1 renews the pictures that the docs show; otherwise they are made and thrown away.
const kept = process.env.UPDATE_SCREENSHOTS === '1'
const pictures = kept ? fileURLToPath(new URL('../../docs/images', import.meta.url)) : temporaryFolder()

let browser: Browser
let shop: ShopProcess

beforeAll(async () => {
  mkdirSync(pictures, { recursive: true })
  shop = await startShop({ SESSION_STORE: temporaryStore() })
  browser = await chromium.launch({ executablePath: program, args })
})

afterAll(async () => {
  await browser?.close()
})

/** A browser of its own, without scripts. */
function newVisitor(width = 1280, userAgent?: string): Promise<BrowserContext> {
  return browser.newContext({
    ...(userAgent !== undefined && { userAgent }),
    baseURL: shop.url,
    javaScriptEnabled: false,
    viewport: { width, height: 800 },
    reducedMotion: 'reduce',
  })
}

async function put(page: Page, name: string): Promise<void> {
  await page.goto('/')
  await page.getByRole('button', { name: `Add ${name} to the cart` }).click()
}

async function logIn(page: Page): Promise<void> {
  await page.goto('/login')
  await page.getByLabel('User name').fill('ada')
  await page.getByLabel('Password').fill('countess')
  await page.getByRole('button', { name: 'Log in' }).click()
}

describe('in Chromium, scripts off', () => {
  it('a visitor shops, logs in with the cart, and sees and ends the session of another browser', async () => {
    const [first, second] = [await newVisitor(), await newVisitor()]
    const there = await first.newPage()
    await put(there, 'Porch lantern')
    await logIn(there)
    await there.getByText('You are logged in. Welcome, Ada Lovelace.').waitFor()

    const page = await second.newPage()
    await page.goto('/')
    await page.getByLabel('How many of Wool blanket').fill('3')
    await page.getByRole('button', { name: 'Add Wool blanket to the cart' }).click()
    expect(new URL(page.url()).pathname).toBe('/cart')
    await page.getByRole('button', { name: 'One Wool blanket less' }).click()
    await logIn(page)
    await page.goto('/cart')
    expect(await page.getByRole('group', { name: 'How many of Wool blanket' }).locator('output').textContent()).toBe('2')

    await page.getByRole('link', { name: /Ada/ }).click()
    const sessions = page.getByRole('main').getByRole('listitem')
    expect(await sessions.count()).toBe(2)
    expect(await sessions.filter({ hasText: 'This device' }).count()).toBe(1)
    await sessions.filter({ hasNotText: 'This device' }).getByRole('button', { name: /^End/ }).click()
    await page.getByText('That session is ended.').waitFor()
    expect(await sessions.count()).toBe(1)

    await there.goto('/account')
    expect(new URL(there.url()).pathname).toBe('/login')

    await page.getByRole('button', { name: 'Log out', exact: true }).click()
    await page.getByText('You are logged out.').waitFor()
    expect((await second.cookies()).length).toBe(0)
    await page.goBack()
    expect(new URL(page.url()).pathname).toBe('/login')
    await Promise.all([first.close(), second.close()])
  })

  it('the theme is dark once chosen, on the page where it was chosen', async () => {
    const context = await newVisitor()
    const page = await context.newPage()
    await page.goto('/login?next=/cart')
    const light = await page.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor)
    await page.getByRole('button', { name: 'Switch to the dark theme' }).click()
    expect(decodeURIComponent(page.url())).toBe(`${shop.url}/login?next=/cart`)
    expect(await page.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor)).not.toBe(light)
    await page.goto('/')
    await page.getByRole('button', { name: 'Switch to the light theme' }).click()
    expect(await page.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor)).toBe(light)
    await context.close()
  })

  it('sets one cookie that scripts cannot read, and none else', async () => {
    const context = await newVisitor()
    const page = await context.newPage()
    await put(page, 'Steel flask')
    await logIn(page)
    expect(await context.cookies()).toEqual([
      expect.objectContaining({ name: 'sid', httpOnly: true, sameSite: 'Lax', path: '/', expires: -1 }),
    ])
    await context.close()
  })

  it.each([360, 1280])('the pages fit %i pixels in both themes, and look like this', async (width) => {
    const [context, phone] = [await newVisitor(width), await newVisitor(360, iPhone)]
    await logIn(await phone.newPage())
    const errors: string[] = []
    const page = await context.newPage()
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    page.on('response', (response) => response.status() >= 400 && errors.push(`${response.status()} ${response.url()}`))

    async function picture(name: string, theme: string): Promise<void> {
      const overhang = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
      expect(overhang, `${name} hangs over to the right`).toBe(0)
      await page.screenshot({ path: join(pictures, `${name}-${theme}-${width}.png`), fullPage: name !== 'shop' || width > 400 })
    }

    for (const theme of ['light', 'dark']) {
      await context.clearCookies()
      await page.goto('/')
      if (theme === 'dark') await page.getByRole('button', { name: 'Switch to the dark theme' }).click()
      await picture('shop', theme)
      await put(page, 'Weekender bag')
      await put(page, 'Enamel mug')
      await picture('cart', theme)
      await page.goto('/login')
      await picture('login', theme)
      await logIn(page)
      await page.goto('/account')
      await page.getByRole('button', { name: 'End all other sessions' }).click()
      await logIn(await phone.newPage())
      await page.goto('/account')
      await picture('account', theme)
    }
    expect(errors).toEqual([])
    await Promise.all([context.close(), phone.close()])
  })
})
