import { describe, expect, test } from 'vitest'
import { parseKeys } from '../../src/core/keyring.ts'
import { newKey, site, start, type Visitor } from './site.ts'

const [old, next] = [newKey(), newKey()]
const keyIdOf = (ada: Visitor): string => ada.jar.cookies.get('sid')!.slice(2, 10)
const idOf = (key: string): string => parseKeys([key]).current.id

async function member(keys: string[]): Promise<{ ada: Visitor; clock: ReturnType<typeof site>['clock'] }> {
  const { visitor, clock } = site({ keys })
  const ada = visitor()
  await ada.visit(async (session) => {
    session.data.cart.push('tea')
    await session.login('ada')
  })
  return { ada, clock }
}

describe('changing keys', () => {
  test('the first key seals', async () => {
    expect(keyIdOf((await member([next, old])).ada)).toBe(idOf(next))
  })

  test('an old one still opens, and the session is sealed with the new one when it is used, unchanged', async () => {
    const { ada, clock } = await member([old])
    const before = await ada.open()
    const moved = ada.copy(site({ keys: [next, old], clock }).sessions)
    expect(await moved.user()).toBe('ada')
    expect(keyIdOf(moved)).toBe(idOf(next))

    const after = await moved.open()
    expect([after.id, after.userId, after.data, after.createdAt]).toEqual([before.id, 'ada', before.data, start])
    await moved.user()
    expect(moved.jar.setCookies, 'once is enough').toEqual([])
    expect(await moved.copy(site({ keys: [next], clock }).sessions).user(), 'the old key can go').toBe('ada')
  })

  test('before the roll-out is over, a process that seals with the old key opens what the new one sealed', async () => {
    const { ada, clock } = await member([next, old])
    expect(await ada.copy(site({ keys: [old, next], clock }).sessions).user()).toBe('ada')
  })

  test('a key that is taken away ends its sessions cleanly: a new visitor, no error, who can begin anew', async () => {
    const { ada, clock } = await member([old])
    const { sessions, errors } = site({ keys: [next], clock })
    const lost = ada.copy(sessions)
    await lost.visit(({ isNew, userId, data }) => expect([isNew, userId, data.cart]).toEqual([true, null, []]))
    expect([lost.jar.setCookies, errors()]).toEqual([[], []])
    await lost.visit((session) => session.login('ada'))
    expect(await lost.user()).toBe('ada')
  })

  test('does nothing for a request that shows no session', async () => {
    const { visitor } = site({ keys: [next, old] })
    const bob = visitor()
    await bob.user()
    expect(bob.jar.setCookies).toEqual([])
  })
})
