import { describe, expect, test } from 'vitest'
import { memory } from '../../src/stores/memory.ts'
import { collect } from '../../src/testing/store-cases/rule.ts'
import { Site } from './site.ts'
import { Unanswering } from './unanswering-store.ts'

const unknown = { code: 'ERR_SOJOURN_UNKNOWN_OUTCOME', status: 503 }
const lost = { lands: false }
const landed = { lands: true }

describe.each([
  ['at once', false],
  ['later', true],
])('the answer to a put of data that is lost %s', (_, later) => {
  const begin = async () => {
    const store = new Unanswering(memory(), later)
    const site = new Site({ store })
    const owner = await site.visitor()
    const id = owner.id!
    const add = (sku: string): Promise<void> => owner.send((session) => void session.data.cart.push(sku))
    const cart = (): Promise<string[]> => owner.send((session) => session.data.cart)
    return { store, site, owner, id, add, cart }
  }

  test('is no failure where the put landed', async () => {
    const { store, site, add, cart } = await begin()
    store.lose(landed)
    await add('cup')
    expect(store.puts).toHaveLength(1)
    expect(await cart()).toEqual(['tea', 'cup'])
    expect(site.errors).toEqual([])
  })

  test('makes the same put go out once more where it did not land', async () => {
    const { store, add, cart } = await begin()
    store.lose(lost)
    await add('cup')
    expect(store.puts).toHaveLength(2)
    expect(store.puts[1]).toEqual(store.puts[0])
    expect(await cart()).toEqual(['tea', 'cup'])
  })

  test('is an unknown outcome when it is lost twice', async () => {
    const { store, add, cart } = await begin()
    store.lose(lost, lost, lost)
    await expect(add('cup')).rejects.toMatchObject(unknown)
    expect(store.puts).toHaveLength(2)
    store.lose()
    expect(await cart()).toEqual(['tea'])
  })

  test('is no failure where the second sending landed', async () => {
    const { store, add, cart } = await begin()
    store.lose(lost, landed)
    await add('cup')
    expect(store.puts).toHaveLength(2)
    expect(await cart()).toEqual(['tea', 'cup'])
  })

  test('is no failure where the first sending landed after it was looked for', async () => {
    const { store, owner, cart } = await begin()
    store.lose(lost)
    store.beforePut = () => {
      const { record, expected } = store.puts[0]!
      expect(store.next.put(record, expected)).toBe(true)
    }
    let runs = 0
    await owner.send(async (session) => {
      await session.update((data) => {
        runs++
        data.visits++
      })
    })
    expect([runs, await owner.send((session) => session.data.visits)]).toEqual([1, 1])
    expect(store.puts).toHaveLength(2)
    expect(await cart()).toEqual(['tea'])
  })

  test('is an unknown outcome where another has been put over it', async () => {
    const { store, id, add, cart } = await begin()
    store.lose({ ...landed, meanwhile: () => store.overwrite(id, 7, ['tea', 'oolong']) })
    await expect(add('cup')).rejects.toMatchObject(unknown)
    expect(store.puts).toHaveLength(1)
    expect(await cart()).toEqual(['oolong', 'cup'])
  })

  test('is an unknown outcome where another with a greater version stands, which may have been put over it', async () => {
    const { store, id, add, cart } = await begin()
    store.lose({ ...lost, meanwhile: () => store.overwrite(id, 2 ** 21, ['tea', 'oolong']) })
    await expect(add('cup')).rejects.toMatchObject(unknown)
    expect(await cart()).toEqual(['oolong'])
  })

  test('makes the change be merged again where another with a lower version stands: it can’t have landed', async () => {
    const { store, id, add, cart } = await begin()
    store.lose({ ...lost, meanwhile: () => store.overwrite(id, 1, ['"visits":0', '"visits":9']) })
    await add('cup')
    expect(store.puts).toHaveLength(2)
    expect(await cart()).toEqual(['tea', 'cup'])
    expect(store.stored(id)!.data).toContain('"visits":9')
  })

  test.each([landed, lost])('is an unknown outcome where the read fails too: %o', async (fate) => {
    const { store, add, cart } = await begin()
    store.lose(fate)
    store.blindReads = 1
    await expect(add('cup')).rejects.toMatchObject(unknown)
    expect(store.puts).toHaveLength(1)
    expect(await cart()).toEqual(fate.lands ? ['tea', 'cup'] : ['tea'])
  })

  test('says the session ended where it ended meanwhile', async () => {
    const { store, site, id, add } = await begin()
    store.lose({ ...lost, meanwhile: () => void store.next.delete(id) })
    await expect(add('cup')).rejects.toMatchObject({ code: 'ERR_SOJOURN_ENDED', status: 409 })
    expect(store.puts).toHaveLength(1)
    expect(await collect(site.store.list())).toEqual([])
  })

  test('names what failed, and neither data nor secrets', async () => {
    const { store, owner, add } = await begin()
    store.lose(lost, lost)
    const error = (await add('a secret wish').catch((cause: unknown) => cause)) as Error
    expect(error.message).toContain('no answer to the put')
    expect(error.cause).toBeInstanceOf(Error)
    expect(error.message).not.toContain('wish')
    expect(error.message).not.toContain(owner.token!.slice(16))
  })
})

describe.each([
  ['at once', false],
  ['later', true],
])('the answer to the insert of a session that is lost %s', (_, later) => {
  const begin = () => {
    const store = new Unanswering(memory(), later)
    const site = new Site({ store })
    const visitor = site.browser()
    const come = (): Promise<void> => visitor.send((session) => void session.data.cart.push('tea'))
    return { store, site, visitor, come, live: () => collect(store.list()) }
  }

  test('is no failure where it landed', async () => {
    const { store, site, visitor, come, live } = begin()
    store.lose(landed)
    await come()
    expect(store.puts).toHaveLength(1)
    expect(await live()).toHaveLength(1)
    expect(await visitor.send((session) => session.data.cart)).toEqual(['tea'])
    expect(site.told('created')).toEqual([{ id: visitor.id, userId: null }])
  })

  test('makes another ID be tried where nothing stands: no ID is sent twice', async () => {
    const { store, visitor, come, live } = begin()
    store.lose(lost)
    await come()
    expect(store.puts.map(({ expected }) => expected)).toEqual([0, 0])
    expect(store.puts[0]!.record.id).not.toBe(store.puts[1]!.record.id)
    expect((await live()).map(({ id }) => id)).toEqual([visitor.id])
    expect(await visitor.send((session) => session.data.cart)).toEqual(['tea'])
  })

  test('fails the request where it is lost again, and nothing was stored', async () => {
    const { store, visitor, come, live } = begin()
    store.lose(lost, lost, lost)
    await expect(come()).rejects.toMatchObject({ status: 503 })
    expect(store.puts).toHaveLength(2)
    expect(await live()).toEqual([])
    expect(visitor.token).toBeNull()
  })

  test('is an unknown outcome where the read fails too, and no token goes out', async () => {
    const { store, site, visitor, come } = begin()
    store.lose(landed)
    store.blindReads = 1
    await expect(come()).rejects.toMatchObject(unknown)
    expect(store.puts).toHaveLength(1)
    expect(visitor.token).toBeNull()
    expect(site.told('created')).toEqual([])
  })

  test('never makes two sessions, whatever becomes of three puts in a row', async () => {
    for (const fates of [[landed], [lost, landed], [lost, lost, landed]]) {
      const { store, come, live } = begin()
      store.lose(...fates)
      await come().catch(() => {})
      expect((await live()).length).toBeLessThanOrEqual(1)
    }
  })
})

describe('the version of a record', () => {
  test('rises with each put by a random step from 1 to 2^20', async () => {
    const store = new Unanswering(memory(), false)
    const owner = await new Site({ store }).visitor()
    store.lose()
    for (let i = 0; i < 2000; i++) await owner.send((session) => void session.data.visits++)
    const steps = store.puts.map(({ record, expected }) => record.version - expected)
    expect(steps).toHaveLength(2000)
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(1)
    expect(Math.max(...steps)).toBeLessThanOrEqual(2 ** 20)
    expect(new Set(steps).size).toBeGreaterThan(1980)
    const mean = steps.reduce((sum, step) => sum + step, 0) / steps.length
    expect(Math.abs(mean / 2 ** 19 - 1)).toBeLessThan(0.1)
  })
})
