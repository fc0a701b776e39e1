import { describe, expect, test } from 'vitest'
import { Jar, site, text, Visitor } from './site.ts'

const { sessions, visitor } = site({ maxCookieSize: '14 KiB' })
const names = ['sid', 'sid.1', 'sid.2', 'sid.3']

/** The chunks of a session that needs four. */
async function chunks(note: string): Promise<string[]> {
  const ada = visitor()
  await ada.visit(async (session) => {
    session.data.note = note
    await session.login('ada')
  })
  expect([...ada.jar.cookies.keys()]).toEqual(names)
  return [...ada.jar.cookies.values()]
}

const user = async (cookies: readonly (readonly [string, string])[]): Promise<string | null> =>
  await new Visitor(sessions, new Jar(cookies)).user()
const named = (values: readonly string[]): [string, string][] => values.map((value, i) => [names[i]!, value])

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length < 2) return [[...items]]
  return items.flatMap((item, i) => permutations(items.toSpliced(i, 1)).map((rest) => [item, ...rest]))
}

describe('the chunks of a session', () => {
  test('open it together, in whatever order the client sends them', async () => {
    for (const cookies of permutations(named(await chunks(text(9500))))) expect(await user(cookies)).toBe('ada')
  })

  test("do not open it in one another's places", async () => {
    const own = await chunks(text(9500))
    const opened = []
    for (const values of permutations(own)) if ((await user(named(values))) !== null) opened.push(values)
    expect(opened).toEqual([own])
  })

  test('do not open it with a chunk of another seal among them, of the same data though it be', async () => {
    const [one, other] = [await chunks(text(9500)), await chunks(text(9500))]
    for (let mix = 1; mix < 15; mix++) expect(await user(named(one.map((chunk, i) => (mix & (1 << i) ? other[i]! : chunk))))).toBeNull()
    expect([await user(named(one)), await user(named(other))]).toEqual(['ada', 'ada'])
  })

  test('do not open it when one is missing, empty, there twice or under another name', async () => {
    const own = named(await chunks(text(9500)))
    for (let i = 0; i < own.length; i++) {
      const [name, value] = own[i]!
      expect(await user(own.toSpliced(i, 1))).toBeNull()
      expect(await user(own.toSpliced(i, 1, [name, '']))).toBeNull()
      expect(await user(own.toSpliced(i, 1, [`${name}0`, value]))).toBeNull()
      const header = [...own, own[i]!].map(([each, its]) => `${each}=${its}`).join('; ')
      expect((await sessions.open(new Headers({ cookie: header }))).userId).toBeNull()
    }
  })

  test('do not open it with another number of chunks in the first', async () => {
    const own = await chunks(text(9500))
    for (const count of '0123567z') expect(await user(named([count + own[0]!.slice(1), ...own.slice(1)]))).toBeNull()
  })

  // Two requests at once of which one needed a chunk more: its cookie can stay behind the other's answer, and that logs nobody out.
  test('open it beside one that is left of a longer seal, which goes when it is next sealed', async () => {
    const long = await chunks(text(9500))
    const ada = visitor()
    await ada.visit((session) => session.login('ada'))
    ada.jar.cookies.set('sid.1', long[1]!)
    expect(await ada.user()).toBe('ada')
    await ada.visit((session) => session.touch())
    expect([...ada.jar.cookies.keys()]).toEqual(['sid'])
    expect(await ada.user()).toBe('ada')
  })
})
