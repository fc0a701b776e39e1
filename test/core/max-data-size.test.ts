import { expect, test } from 'vitest'
import { createSessions } from '../../src/sessions.ts'
import { memory } from '../../src/stores/memory.ts'
import { Visitor } from './visitor.ts'

interface Data {
  note: string
}

const site = (maxDataSize?: number | string) => {
  const store = memory()
  const sessions = createSessions<Data>({ store, maxDataSize, initial: () => ({ note: '' }) })
  return { store, visitor: new Visitor(sessions) }
}

const sizeOf = (note: string): number => Buffer.byteLength(`1\n${JSON.stringify({ note })}`)

test('data that are too long are refused at the commit by their size and the limit, and what was stored stays', async () => {
  const { visitor } = site(1000)
  await visitor.visit(({ data }) => void (data.note = 'short'))
  const long = 'x'.repeat(2000)
  const error = (await visitor.visit(({ data }) => void (data.note = long)).catch((cause: unknown) => cause)) as Error
  expect(error).toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE', status: 500 })
  expect(error.message).toContain(`take ${sizeOf(long)} bytes`)
  expect(error.message).toContain('maxDataSize is 1000')
  expect(error.message).not.toContain('xxx')
  expect(await visitor.read()).toEqual({ note: 'short' })
})

test.each(['x', 'é', '漢', '👩‍👩‍👧', '"'])('the limit counts bytes and is itself allowed: %s', async (character) => {
  const note = character.repeat(100)
  await site(sizeOf(note)).visitor.visit(({ data }) => void (data.note = note))
  const over = site(sizeOf(note) - 1)
  await expect(over.visitor.visit(({ data }) => void (data.note = note))).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE' })
  for await (const record of over.store.list()) expect(record).toBeUndefined()
})

test('update() and login() with data that are too long reject, and nothing lands', async () => {
  const { visitor, store } = site('1 kB')
  await visitor.visit(({ data }) => void (data.note = 'short'))
  const session = await visitor.open()
  const long = 'x'.repeat(2000)
  await expect(session.update((data) => void (data.note = long))).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE' })
  const other = await visitor.open()
  other.data.note = long
  await expect(other.login('ada')).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE' })
  const records = []
  for await (const record of store.list()) records.push(record.userId)
  expect(records).toEqual([null])
  expect(await visitor.read()).toEqual({ note: 'short' })
})

test('of requests at once the one whose data are too long fails alone', async () => {
  const { visitor } = site(1000)
  await visitor.visit(({ data }) => void (data.note = 'short'))
  const [good, bad] = [await visitor.open(), await visitor.open()]
  good.data.note = 'fine'
  bad.data.note = 'x'.repeat(2000)
  const outcomes = await Promise.allSettled([bad.commit(), good.commit()])
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'fulfilled'])
  expect(await visitor.read()).toEqual({ note: 'fine' })
})

test('a megabyte is the default', async () => {
  const { visitor } = site()
  const most = 1_000_000 - sizeOf('')
  await visitor.visit(({ data }) => void (data.note = 'x'.repeat(most)))
  const error = visitor.visit(({ data }) => void (data.note = 'x'.repeat(1_048_577)))
  await expect(error).rejects.toMatchObject({ code: 'ERR_SOJOURN_DATA_TOO_LARGE' })
})

test.each([0, -1, 'much', Number.NaN])('maxDataSize %j is refused', (maxDataSize) => {
  expect(() => site(maxDataSize)).toThrow(expect.objectContaining({ code: 'ERR_SOJOURN_OPTION' }))
})
