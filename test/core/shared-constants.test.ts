import { expect, test } from 'vitest'
import { createSessions } from '../../src/index.ts'

interface Data {
  cart: string[]
  prefs: { theme?: string }
}

const open = async () => {
  const sessions = createSessions<Data>({ initial: () => ({ cart: ['mug'], prefs: {} }) })
  const first = await sessions.open(new Request('http://localhost/'))
  first.data.prefs.theme = 'dark'
  const cookie = (await first.commit()).getSetCookie()[0]!.split(';')[0]!
  return sessions.open(new Request('http://localhost/', { headers: { cookie } }))
}

test('a constant that the application puts into the data is never changed by an update', async () => {
  const empty: string[] = []
  const plain: Data['prefs'] = Object.freeze({})
  const session = await open()
  session.data.cart = empty
  session.data.prefs = plain
  await session.update((data) => {
    data.cart.push('lamp')
    data.prefs.theme = 'light'
  })
  expect(session.data).toEqual({ cart: ['lamp'], prefs: { theme: 'light' } })
  expect(empty).toEqual([])
  expect(plain).toEqual({})
})

test('nor is one that takes the place of all data', async () => {
  const blank: Data = { cart: [], prefs: {} }
  const session = await open()
  session.data = blank
  await session.update((data) => void data.cart.push('lamp'))
  expect(session.data.cart).toEqual(['lamp'])
  expect(blank).toEqual({ cart: [], prefs: {} })
})

test('what a handler took out of the data before an update stays part of them', async () => {
  const session = await open()
  const { cart } = session.data
  await session.update((data) => void data.cart.push('lamp'))
  await session.update((data) => void data.cart.push('tent'))
  cart.push('bag')
  expect(session.data.cart).toEqual(['mug', 'lamp', 'tent', 'bag'])
  expect(session.data.cart).toBe(cart)
})
