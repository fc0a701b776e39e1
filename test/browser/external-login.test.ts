import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { listen, type Listening } from '../adapters/server.ts'
import { launchChromium } from './chromium.ts'
import { identityProvider, loginSite, type LoginSite, type Mend } from './external-login-site.ts'

let browser: Browser
beforeAll(async () => void (browser = await launchChromium()))
afterAll(async () => await browser?.close())

interface World extends Pick<LoginSite, 'arrivals'> {
  readonly site: string
  readonly provider: string
  readonly page: Page
  readonly context: BrowserContext
  /** Puts tea into the cart, goes to log in, says yes at the identity provider. @returns the status of where that leads */
  logIn(by?: 'redirect' | 'form'): Promise<number>
  /** Who the site takes the visitor for, seen from its own front page. */
  whoami(): Promise<string>
}

interface Setting {
  readonly sameSite: 'lax' | 'strict'
  readonly mend?: Mend
  readonly bounceAbove?: boolean
  readonly trusts?: boolean
  readonly referrerPolicy?: string
}

/** A site on localhost and an identity provider on 127.0.0.1: to a browser they are two sites. */
async function world({ sameSite, mend, bounceAbove, trusts = false, referrerPolicy }: Setting): Promise<World> {
  const urls = { site: '', provider: '' }
  const open = async (made: Promise<Listening>, host: string): Promise<string> => {
    const server = await made
    onTestFinished(() => server.close())
    return `http://${host}:${server.port}`
  }
  urls.provider = await open(listen(identityProvider(() => urls.site, referrerPolicy)), '127.0.0.1')
  const { app, sessions, arrivals } = loginSite(
    { cookie: { sameSite }, crossOrigin: { trusted: trusts ? [urls.provider] : [] } },
    () => urls.provider,
    { ...(mend && { mend }), ...(bounceAbove !== undefined && { bounceAbove }) },
  )
  urls.site = await open(listen(app), 'localhost')
  const context = await browser.newContext()
  onTestFinished(async () => {
    await context.close()
    await sessions.close()
  })
  const page = await context.newPage()
  return {
    ...urls,
    arrivals,
    page,
    context,
    async logIn(by = 'redirect') {
      await page.goto(`${urls.site}/cart/tea`)
      await page.goto(`${urls.site}/login?by=${by}`)
      let status = 0
      page.on('response', (response) => {
        if (response.url().startsWith(urls.site) && response.status() !== 303) status = response.status()
      })
      await page.getByRole('button').click()
      // A bounce is a page on its way to the next: where it ends is one that goes nowhere.
      await page.waitForFunction(
        (site) => location.href.startsWith(site) && document.forms.length === 0 && document.querySelector('meta[http-equiv]') === null,
        urls.site,
      )
      return status
    },
    async whoami() {
      await page.goto(urls.site)
      return (await page.locator('#who').textContent()) ?? ''
    },
  }
}

const sid = async (context: BrowserContext) => (await context.cookies()).find(({ name }) => name === 'sid')?.value

describe('back from another site by a redirect (OAuth), in Chromium', () => {
  test('SameSite=Lax: the cookie comes along, and the login has the cart', async () => {
    const { logIn, arrivals, whoami } = await world({ sameSite: 'lax' })
    expect(await logIn()).toBe(200)
    expect(arrivals).toEqual(['GET cross-site cookie'])
    expect(await whoami()).toBe('ada with tea')
  })

  test('SameSite=Strict: it does not at first; a page that leads on at once mends it', async () => {
    const { logIn, arrivals, whoami } = await world({ sameSite: 'strict' })
    expect(await logIn()).toBe(200)
    expect(arrivals).toEqual(['GET cross-site bare', 'GET same-origin cookie'])
    expect(await whoami()).toBe('ada with tea')
  })

  test('SameSite=Strict: a redirect to itself does not mend it', async () => {
    const { logIn, arrivals, whoami } = await world({ sameSite: 'strict', mend: 'redirect' })
    expect(await logIn()).toBe(400)
    expect(arrivals).toEqual(['GET cross-site bare', 'GET cross-site bare'])
    expect(await whoami()).toBe('nobody with tea')
  })

  test('SameSite=Strict: without a mend the login fails, and the session is as it was', async () => {
    const { logIn, context, whoami, arrivals } = await world({ sameSite: 'strict', mend: 'none' })
    expect(await logIn()).toBe(400)
    expect(arrivals).toEqual(['GET cross-site bare'])
    const before = await sid(context)
    expect([before !== undefined, await whoami(), await sid(context)]).toEqual([true, 'nobody with tea', before])
  })

  test.each(['lax', 'strict'] as const)("SameSite=%s: a login that somebody else began is not the visitor's", async (sameSite) => {
    const { page, site, whoami } = await world({ sameSite })
    await page.goto(`${site}/cart/tea`)
    await page.goto(`${site}/login`)
    const answer = await page.goto(`${site}/callback?code=1234&state=${'a'.repeat(22)}`)
    expect(answer?.status()).toBe(400)
    expect(await whoami()).toBe('nobody with tea')
  })
})

describe('back from another site by a form (SAML), in Chromium', () => {
  test.each(['lax', 'strict'] as const)('SameSite=%s: the cookie does not come; a form of the site’s own mends it', async (sameSite) => {
    const { logIn, arrivals, whoami, site, provider } = await world({ sameSite, trusts: true })
    expect(await logIn('form')).toBe(200)
    expect(arrivals).toEqual([`POST cross-site ${provider} bare`, `POST same-origin ${site} cookie`])
    expect(await whoami()).toBe('ada with tea')
  })

  test.each(['lax', 'strict'] as const)('SameSite=%s: it is answered 403 while the provider is not trusted', async (sameSite) => {
    const { logIn, arrivals, whoami, provider } = await world({ sameSite })
    expect(await logIn('form')).toBe(403)
    expect(arrivals).toEqual([`POST cross-site ${provider} bare`])
    expect(await whoami()).toBe('nobody with tea')
  })

  test('from a site that is not the trusted provider it is answered 403', async () => {
    const { page, site, arrivals, whoami } = await world({ sameSite: 'lax', trusts: true })
    const evil = await listen(identityProvider(() => site))
    onTestFinished(() => evil.close())
    await page.goto(`${site}/cart/tea`)
    await page.goto(`http://127.0.0.1:${evil.port}/authorize?by=form&state=x`)
    const answered = page.waitForResponse(`${site}/acs`)
    await page.getByRole('button').click()
    expect((await answered).status()).toBe(403)
    expect(arrivals).toEqual([`POST cross-site http://127.0.0.1:${evil.port} bare`])
    await page.waitForURL(`${site}/acs`)
    expect(await whoami()).toBe('nobody with tea')
  })

  test('a provider that hides its origin can not be trusted by it: what meets its form stands above the session', async () => {
    const hiding = { sameSite: 'lax', trusts: true, referrerPolicy: 'no-referrer' } as const
    const refused = await world(hiding)
    expect(await refused.logIn('form')).toBe(403)
    expect(refused.arrivals).toEqual(['POST cross-site null bare'])

    const { logIn, arrivals, whoami, site } = await world({ ...hiding, bounceAbove: true })
    expect(await logIn('form')).toBe(200)
    expect(arrivals).toEqual(['POST cross-site null bare', `POST same-origin ${site} cookie`])
    expect(await whoami()).toBe('ada with tea')
  })
})
