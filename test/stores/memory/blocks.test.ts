import { expect, test } from 'vitest'
import { Blocks } from '../../../src/stores/memory/blocks.ts'
import { boundsFor } from '../../../src/stores/memory/grain.ts'
import { Records } from '../../../src/stores/memory/records.ts'
import { Seconds } from '../../../src/stores/memory/seconds.ts'
import { after, newRecord, start } from '../../../src/testing/store-cases/rule.ts'

const random = (bound: number) => Math.floor(Math.random() * bound)

test('blocks never overlap, move with all that they hold, and take no more room than they were given', () => {
  const room = 300_000
  const blocks = new Blocks({ slab: 2 ** 14, page: 2 ** 10 })
  const held = new Map<number, number>()
  const word = (address: number, index: number) => blocks.words[address >>> blocks.shift]![(address & blocks.mask) + index]!
  const check = (address: number, mark: number) => {
    const words = Array.from({ length: blocks.unitsOf(address) }, (_, index) => word(address, index))
    expect(words.every((found) => found === mark)).toBe(true)
  }
  let moves = 0
  blocks.onMove = (from, to) => {
    moves++
    const mark = held.get(from)!
    held.delete(from)
    expect(held.has(to)).toBe(false)
    held.set(to, mark)
    check(to, mark)
  }
  let mark = 0
  for (let step = 0; step < 10_000; step++) {
    // The sizes that are asked for drift, so that pages have to change hands.
    const units = 12 + ((step >> 8) % 40) + random(8)
    while (!blocks.prepare([{ units, count: 1 }], room - blocks.taken)) {
      const address = [...held.keys()][random(held.size)]!
      check(address, held.get(address)!)
      blocks.release(address)
      held.delete(address)
    }
    const address = blocks.take(units)
    expect(held.has(address)).toBe(false)
    expect(blocks.unitsOf(address)).toBe(units)
    mark++
    for (let index = 0; index < units; index++) blocks.words[address >>> blocks.shift]![(address & blocks.mask) + index] = mark
    held.set(address, mark)
    expect(blocks.taken).toBeLessThanOrEqual(room)
  }
  expect(moves).toBeGreaterThan(100)
  for (const [address, marked] of held) check(address, marked)
  for (const address of held.keys()) blocks.release(address)
  expect(blocks.taken).toBeLessThanOrEqual(4 * blocks.slabCost)
})

test('slabs are given back, with their blocks moved to others, as long as those have room', () => {
  const blocks = new Blocks({ slab: 2 ** 14, page: 2 ** 10 })
  let held: { address: number; units: number; mark: number }[] = []
  blocks.onMove = (from, to) => {
    held.find(({ address }) => address === from)!.address = to
  }
  for (let mark = 1; mark <= 6000; mark++) {
    const units = 12 + random(30)
    expect(blocks.prepare([{ units, count: 1 }], Infinity)).toBe(true)
    const address = blocks.take(units)
    blocks.words[address >>> blocks.shift]!.fill(mark, address & blocks.mask, (address & blocks.mask) + units)
    held.push({ address, units, mark })
  }
  expect(blocks.shrink()).toBe(false)
  for (const share of [0.9, 0.7, 0.3, 0.05]) {
    const going = held.filter(() => Math.random() > share)
    held = held.filter((block) => !going.includes(block))
    for (const { address } of going) blocks.release(address)
    while (blocks.shrink()) continue
    for (const { address, units, mark } of held) {
      expect(blocks.unitsOf(address)).toBe(units)
      const at = address & blocks.mask
      expect(blocks.words[address >>> blocks.shift]!.subarray(at, at + units).every((word) => word === mark)).toBe(true)
    }
    const needed = held.reduce((sum, { units }) => sum + 4 * units, 0)
    // Each of thirty sizes may leave a page partly empty, and less than two slabs can't be given back.
    expect(blocks.taken).toBeLessThan(1.2 * needed + 30 * 2 ** 10 + 3 * blocks.slabCost)
  }
})

test('the first second with a number is found, however they lie, and nodes are used again', () => {
  const seconds = new Seconds(8)
  const model = new Map<number, number>()
  const anySecond = [() => random(50), () => 4_102_444_800 + random(3000), () => random(2 ** 35), () => 2 ** 35 - 1 - random(3)]
  for (let step = 0; step < 20_000; step++) {
    const known = [...model.keys()]
    const second = random(2) ? anySecond[random(4)]!() : (known[random(known.length)] ?? 0)
    if (random(100) < 45 + (step % 2000 < 1000 ? 15 : -15)) {
      seconds.set(second, step + 1)
      model.set(second, step + 1)
    } else if (model.delete(second)) seconds.clear(second)
    expect(seconds.get(second)).toBe(model.get(second) ?? 0)
    if (step % 20 === 0) expect(seconds.first()).toBe(model.size === 0 ? -1 : Math.min(...model.keys()))
  }
  for (const second of model.keys()) seconds.clear(second)
  expect(seconds.first()).toBe(-1)
  const { taken } = seconds
  for (let index = 0; index < 100; index++) seconds.set(index * 40, 1)
  expect(seconds.taken).toBe(taken)
})

test('IDs and users that all fall into one chain are told apart', () => {
  const records = new Records(boundsFor(4e6))
  // The same first 40 bits and the same last: whatever the chains go by, many of these meet, and all look alike.
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  const all = Array.from({ length: 2000 }, (_, index) =>
    newRecord({
      id: `AAAAAAA${letters[index >> 6]}${letters[index & 63]}AAAAAAA`,
      userId: `user ${index % 3}`,
      data: `${index}`,
      expiresAt: start + index,
    }),
  )
  for (const record of all) {
    records.encode(record)
    expect(records.prepare()).toBe(true)
    records.insert(record)
  }
  for (const record of all) expect(records.look(records.find(record.id), record.id)).toEqual(record)
  for (const record of all.filter((_, index) => index % 2)) records.remove(records.find(record.id))
  for (const [index, record] of all.entries()) {
    const address = records.find(record.id)
    if (index % 2) expect(address).toBe(0)
    else expect(records.look(address, record.id)).toEqual(record)
  }
  expect(records.ofUser('user 0')).toHaveLength(334)
  expect(records.ofUser('user 3')).toEqual([])
})

test('the rows of what went are used again, and the table of IDs stays right through it', () => {
  const records = new Records(boundsFor(1e6))
  let live = new Map<string, ReturnType<typeof newRecord>>()
  for (let round = 0; round < 40; round++) {
    for (let index = 0; index < 1000; index++) {
      const record = newRecord({ userId: random(3) ? `user ${random(50)}` : null, data: 'x'.repeat(random(200)) })
      records.encode(record)
      expect(records.prepare()).toBe(true)
      records.insert(record)
      live.set(record.id, record)
    }
    const next: typeof live = new Map()
    for (const [id, record] of live) {
      if (random(4)) records.remove(records.find(id))
      else next.set(id, record)
    }
    live = next
    expect(records.count).toBe(live.size)
  }
  expect(records.taken).toBeLessThan(1e6)
  expect([...records.all()].flat().sort()).toEqual([...live.keys()].sort())
  for (const [id, record] of live) expect(records.look(records.find(id), id)).toEqual(record)
})

test.each(['overwrite', 'rewrite'] as const)('%s: while it leaves an eighth of its block at most, a record stays there', (way) => {
  const records = new Records(boundsFor(4e6))
  const insert = (record: ReturnType<typeof newRecord>) => {
    records.encode(record)
    expect(records.prepare()).toBe(true)
    records.insert(record)
  }
  const first = newRecord({ userId: 'ada', data: 'x'.repeat(800) })
  // A head is packed from the second time on that one of its shape is met.
  records.encode(first)
  insert(first)
  const address = records.find(first.id)
  const bytes = records.encode(first)
  let record = first
  const write = (length: number): boolean => {
    const next = after(record, { data: 'y'.repeat(length), head: first.head })
    // It is in use from the second time on.
    for (let time = 0; time < 2; time++) records.use(address, record.id)
    records.encode(next)
    const stays = records[way](address, next)
    if (stays) record = next
    // Another takes its place among those in use, so that it is read from its bytes.
    const other = newRecord({ id: `AAAAAAAAAAAA${first.id.slice(-4)}` })
    insert(other)
    records.use(records.find(other.id), other.id)
    expect(records.look(address, record.id)).toEqual(record)
    records.remove(records.find(other.id))
    return stays
  }
  const spare = Math.floor(bytes / 8)
  for (const length of [800, 800 - spare + 4, 790, 800, 760, 799, 800]) expect(write(length)).toBe(true)
  for (const length of [800 - spare - 8, 804, 200, 2000, 0]) expect(write(length)).toBe(false)
  expect(write(800)).toBe(true)
  expect(records.find(first.id)).toBe(address)
})
