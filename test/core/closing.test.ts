import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import type { Maybe, SessionRecord, Touch } from '../../src/core/store.ts'
import { memory } from '../../src/stores/memory.ts'
import { absolute, Site, slice } from './site.ts'
import { Counted, Later, StoreOver, turn } from './store-over.ts'

describe('sessions.close()', () => {
  test('notes the uses that wait, then closes the store', async () => {
    const order: string[] = []
    const touched: number[] = []
    class Watched extends StoreOver {
      override touch(batch: readonly Touch[]): Maybe<void> {
        order.push('touch')
        touched.push(batch[0]!.lastSeenAt)
        return super.touch(batch)
      }
      override close(): Maybe<void> {
        order.push('close')
        return super.close()
      }
    }
    const site = new Site({ store: new Later(new Watched(memory())) })
    const owner = await site.member()
    site.clock.advance(slice + 1)
    await owner.visit()
    expect(order).toEqual([])
    await site.sessions.close()
    expect(order).toEqual(['touch', 'close'])
    expect(touched).toEqual([site.clock.now()])
  })

  test('lets the commits that are on their way land', async () => {
    const kept = memory()
    class Closable extends StoreOver {
      #closed = false

      override put(record: SessionRecord, expected: number): Maybe<boolean> {
        if (this.#closed) throw new Error('a put came after the store was closed')
        return super.put(record, expected)
      }

      // What is below stays open, to be looked at.
      override close(): void {
        this.#closed = true
      }
    }
    const site = new Site({ store: new Later(new Closable(kept)) })
    const owner = await site.member()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => owner.open()))
    for (const [i, session] of sessions.entries()) session.data.cart.push(`tea ${i}`)
    const commits = Promise.all(sessions.map((session) => session.commit()))
    await site.sessions.close()
    const stored = await kept.get(owner.id!)
    for (let i = 0; i < 20; i++) expect(stored!.data).toContain(`"tea ${i}"`)
    await commits
  })

  test('refuses every request after it, and what one that it overtook wants to write', async () => {
    const site = new Site()
    const owner = await site.member()
    const slow = await owner.open()
    slow.data.visits++
    await site.sessions.close()
    const closed = { code: 'ERR_SOJOURN_CLOSED', status: 503 }
    await expect(owner.open()).rejects.toMatchObject(closed)
    await expect(site.browser().open()).rejects.toMatchObject(closed)
    await expect(slow.commit()).rejects.toMatchObject(closed)
  })

  test('may be called again, and stops the sweeper', async () => {
    const store = new Counted(memory())
    const site = new Site({ store, sweepInterval: '5ms' })
    await vi.waitFor(() => expect(store.calls.sweep).toBeGreaterThan(0))
    await Promise.all([site.sessions.close(), site.sessions.close()])
    await site.sessions.close()
    const { sweep } = store.calls
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(store.calls.sweep).toBe(sweep)
    expect(site.errors).toEqual([])
  })

  test('waits for the batch of a sweep that is on its way, and no more', async () => {
    const store = new Counted(new Later(memory()))
    const site = new Site({ store })
    for (let i = 0; i < 1000; i++) await site.visitor()
    site.clock.advance(absolute)
    const sweeping = site.sessions.sweep()
    await turn()
    await site.sessions.close()
    expect(await sweeping).toBeLessThan(1000)
    expect(site.told('expired').length).toBe(await sweeping)
    expect(site.errors).toEqual([])
  })
})

test('no timer keeps a process alive that has nothing else to do', async () => {
  const script = fileURLToPath(new URL('lonely-process.ts', import.meta.url))
  const child = spawn(process.execPath, ['--import', 'tsx', script], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  const exit = once(child, 'exit')
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const spokeAt = performance.now()
  expect(said.toString().trim()).toBe('2')
  expect(await exit).toEqual([0, null])
  // The sweeper would come after 45 s at the earliest.
  expect(performance.now() - spokeAt).toBeLessThan(20_000)
})
