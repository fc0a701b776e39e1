import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { service, startTimeout, suiteRan, type Kind } from '../services/service.ts'
import { startShop } from './server.ts'
import { errorCode, Visitor } from './visitor.ts'

/** How long the store may take for one operation: the default of sojourn's, which the shop leaves as it is. */
const storeTimeout = 2000
/** An unanswered write is looked for once, which may take as long again; the rest is for a busy machine. */
const longest = 2 * storeTimeout + 2000

const kinds: readonly Kind[] = ['redis', 'mysql', 'postgres', 'mongodb', 'redis-cluster']

/** Adds to a cart, one thing after the other, and counts what it was told. */
class Shopper {
  readonly visitor: Visitor
  added = 0
  unknown = 0
  readonly refusals: string[] = []
  slowest = 0
  goesOn = true

  constructor(url: string) {
    this.visitor = new Visitor(url)
  }

  async shop(): Promise<void> {
    while (this.goesOn) {
      await this.add()
      await delay(10)
    }
  }

  async add(): Promise<void> {
    const began = performance.now()
    const answer = await this.visitor.post('/api/cart', { sku: 'mug' })
    this.slowest = Math.max(this.slowest, performance.now() - began)
    if (answer.status === 200) {
      this.added++
      return
    }
    const code = errorCode(answer)
    this.refusals.push(`${answer.status} ${code} ${answer.headers.get('retry-after')}`)
    if (code === 'ERR_SOJOURN_UNKNOWN_OUTCOME') this.unknown++
  }
}

describe.each(kinds)('the shop while its %s is killed and restarted under load', (kind) => {
  it('answers 503 in time, never hangs, loses nothing that it confirmed, and goes on by itself', { timeout: startTimeout }, async () => {
    const server = await service(kind)
    const shop = await startShop({ SESSION_STORE: server.url })
    const shoppers = Array.from({ length: 8 }, () => new Shopper(shop.url))
    // Each has a session before the trouble begins.
    for (const shopper of shoppers) await shopper.add()
    const shopping = Promise.all(shoppers.map((shopper) => shopper.shop()))
    await delay(800)
    await server.kill()
    // Longer than the time limit: also a driver that waits for its server has given up by then.
    await delay(storeTimeout + 500)
    await server.restart()
    const served = () => shoppers.map(({ added }) => added)
    const atRestart = served()
    await expect.poll(() => served().every((added, index) => added > atRestart[index]! + 3), { timeout: 20_000 }).toBe(true)
    for (const shopper of shoppers) shopper.goesOn = false
    await shopping

    const refusals = shoppers.flatMap((shopper) => shopper.refusals)
    const slowest = Math.max(...shoppers.map((shopper) => shopper.slowest))
    let lost = 0
    for (const { added, unknown, visitor } of shoppers) {
      const { cart } = await visitor.session()
      const quantity = cart[0]?.qty ?? 0
      lost += Math.max(0, added - quantity)
      expect(quantity).toBeLessThanOrEqual(added + unknown)
    }
    const confirmed = served().reduce((sum, added) => sum + added, 0)
    console.info(
      `${kind}: ${confirmed} additions confirmed, ${lost} lost, ${refusals.length} refused, longest answer ${Math.round(slowest)} ms`,
    )
    expect(lost).toBe(0)
    expect(refusals.length).toBeGreaterThan(0)
    for (const refusal of refusals) expect(refusal).toMatch(/^503 ERR_SOJOURN_(?:STORE|UNKNOWN_OUTCOME) 1$/)
    expect(slowest).toBeLessThan(longest)
    // The process that served before serves still; what it logged has no token in it.
    const { code, stderr } = await shop.end('SIGTERM')
    expect(code).toBe(0)
    for (const { visitor } of shoppers) expect(stderr).not.toContain(visitor.token!.slice(-32))
    await server.stop()
    await suiteRan('outage', kind)
  })
})
