import { describe, expect, test } from 'vitest'
import { json } from '../../src/core/codec.ts'
import { memory } from '../../src/stores/memory.ts'
import { absolute, type Data, idle, newKey, type Site, site, slice, text, type Visitor } from './site.ts'

/** A site that counts how often sealed data are parsed. */
function counting(): Site & { parsed: number } {
  const counted = { parsed: 0 }
  const codec = {
    name: 'counting',
    encode: (data: unknown) => json.encode(data),
    decode(encoded: string) {
      counted.parsed++
      return json.decode(encoded)
    },
  }
  return Object.assign(counted, site({ codec }))
}

async function withCart(at: Site, note = ''): Promise<Visitor> {
  const ada = at.visitor()
  await ada.visit(({ data }) => {
    data.cart.push('tea')
    data.note = note
  })
  return ada
}

const cartOf = (visitor: Visitor): Promise<string[]> => visitor.visit(({ data }) => [...data.cart])

describe('a seal that comes again', () => {
  test('is parsed once', async () => {
    const at = counting()
    const ada = await withCart(at)
    for (let i = 0; i < 5; i++) expect(await cartOf(ada)).toEqual(['tea'])
    expect(at.parsed).toBe(1)
  })

  test('is parsed once though others of its session came in between', async () => {
    const at = counting()
    const ada = await withCart(at)
    const before = ada.copy()
    await cartOf(ada)
    for (let i = 0; i < 5; i++) {
      await ada.visit(({ data }) => void (data.visits += 1))
      expect(await before.visit(({ data }) => data.visits)).toBe(0)
    }
    // The first, and each that was written since, on its way to the next; eleven if none were kept. One may have the first one's place.
    expect(at.parsed).toBeLessThanOrEqual(8)
  })

  test('gives each request data of its own', async () => {
    const ada = await withCart(site())
    const one = await ada.open()
    const other = await ada.open()
    one.data.cart.push('mug')
    one.data.note = 'mine'
    expect(other.data).toEqual({ visits: 0, cart: ['tea'], note: '' })
    await one.commit()
    expect((await ada.open()).data, 'of the same cookie').toEqual({ visits: 0, cart: ['tea'], note: '' })
  })

  test('holds what it was sealed with, though the handler goes on to change its data', async () => {
    const { visitor } = site()
    const ada = visitor()
    let kept: Data | undefined
    await ada.visit(({ data }) => void (kept = data).cart.push('tea'))
    await ada.visit(({ data }) => void (kept = data).cart.push('mug'))
    kept!.cart.push('too late')
    expect(await cartOf(ada)).toEqual(['tea', 'mug'])
  })

  test('has expired all the same', async () => {
    const at = site()
    const ada = await withCart(at)
    expect(await cartOf(ada)).toEqual(['tea'])
    at.clock.advance(idle + slice)
    expect(await cartOf(ada)).toEqual([])
  })

  test('has expired by the absolute timeout, however often it comes', async () => {
    const at = site({ timeouts: { idle: absolute } })
    const ada = await withCart(at)
    for (let i = 0; i < 3; i++) {
      // A copy, or the use would be noted in another seal.
      expect(await cartOf(ada.copy())).toEqual(['tea'])
      at.clock.advance(absolute / 3)
    }
    expect(await cartOf(ada.copy())).toEqual([])
  })

  test('is revoked all the same', async () => {
    const { visitor } = site({ revocations: memory() })
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    const thief = ada.copy()
    expect(await thief.user()).toBe('ada')
    await ada.visit((session) => session.logout())
    expect(await thief.user()).toBe(null)
  })

  test('is none under the name that it has over https', async () => {
    const at = site()
    const ada = await withCart(at)
    expect(await cartOf(ada)).toEqual(['tea'])
    const session = await at.sessions.open(
      new Request('https://shop.example/', { headers: { cookie: `__Host-sid=${ada.jar.cookies.get('sid')}` } }),
    )
    expect(session.isNew).toBe(true)
  })

  test('opens for no other application, whose keys are others', async () => {
    const ada = await withCart(site())
    expect(await cartOf(ada)).toEqual(['tea'])
    expect(await cartOf(ada.copy(site({ keys: [newKey()] }).sessions))).toEqual([])
  })

  test.each([0, 300, 2500, 3900])('opens for nobody once a character of it is another, with a note of %d', async (size) => {
    const at = site()
    const ada = await withCart(at, text(size))
    expect(await cartOf(ada)).toEqual(['tea'])
    for (const [name, value] of ada.jar.cookies) {
      for (let i = 0; i < value.length; i += size > 1000 && i < value.length - 100 ? 37 : 1) {
        const forged = ada.copy()
        forged.jar.cookies.set(name, value.slice(0, i) + (value[i] === 'A' ? 'B' : 'A') + value.slice(i + 1))
        expect((await forged.open()).isNew, `at ${i} of ${name}`).toBe(true)
      }
    }
    expect(await cartOf(ada), 'as it was').toEqual(['tea'])
  })

  test('is sealed anew with the current key by each request that brings it', async () => {
    const [older, newer] = [newKey(), newKey()]
    const ada = await withCart(site({ keys: [older] }))
    const { sessions } = site({ keys: [newer, older] })
    for (let i = 0; i < 3; i++) {
      const tab = ada.copy(sessions)
      expect(await cartOf(tab)).toEqual(['tea'])
      expect(tab.jar.setCookies).toHaveLength(1)
    }
  })

  test('is parsed each time where it is long', async () => {
    const at = counting()
    const ada = await withCart(at, text(3900))
    for (let i = 0; i < 3; i++) expect(await cartOf(ada)).toEqual(['tea'])
    expect(at.parsed).toBe(3)
  })

  test('is parsed anew after a logout, and opens nothing after close()', async () => {
    const at = counting()
    const ada = await withCart(at)
    const copy = ada.copy()
    await cartOf(ada)
    await ada.visit((session) => session.logout())
    expect(await cartOf(copy), 'a copy is good until it expires').toEqual(['tea'])
    expect(at.parsed).toBe(2)
    await at.sessions.close()
    await expect(copy.open()).rejects.toMatchObject({ code: 'ERR_SOJOURN_CLOSED' })
  })

  test('opens, whichever of many it is', async () => {
    const at = site()
    const all = await Promise.all(Array.from({ length: 5000 }, (_, i) => withCart(at, `number ${i}`)))
    for (const round of [1, 2])
      for (const [i, one] of all.entries()) expect((await one.open()).data.note, `in round ${round}`).toBe(`number ${i}`)
  })
})
