import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { shopThatEnds, startShop, temporaryFolder, temporaryStore } from './server.ts'
import { Visitor } from './visitor.ts'

describe('a shop of several processes', () => {
  it('says once where it is, replaces a process that dies, and ends in order', async () => {
    const shop = await startShop({ SESSION_STORE: temporaryStore(), WORKERS: '3' })
    const visitor = new Visitor(shop.url)
    await visitor.logIn()
    const before = shop.workers()
    expect(before).toHaveLength(3)
    process.kill(before[0]!, 'SIGKILL')
    await vi.waitFor(() => expect(shop.workers().filter((pid) => pid !== before[0])).toHaveLength(3), { timeout: 10_000, interval: 50 })
    for (let visit = 0; visit < 6; visit += 1) expect((await visitor.session()).userId).toBe('ada')
    const exit = await shop.end('SIGTERM')
    expect(exit).toMatchObject({ code: 0, signal: null, stderr: '' })
    expect(exit.stdout.match(/\n/g)).toHaveLength(1)
  })
})

describe('a shop that cannot start', () => {
  it('says in one line that its port is in use, and exits with 1', async () => {
    const blocker = createServer().listen(0, '127.0.0.1')
    await once(blocker, 'listening')
    const { port } = blocker.address() as AddressInfo
    for (const WORKERS of ['1', '2']) {
      const exit = await shopThatEnds({ PORT: String(port), SESSION_STORE: temporaryStore(), WORKERS })
      expect(exit).toMatchObject({ code: 1, stdout: '' })
      expect(exit.stderr).toMatch(new RegExp(`^Sojourn shop cannot start: .*port ${port} .*in use.*\n$`))
    }
    blocker.close()
  })

  it('says in one line that its folder cannot be written, and exits with 1', async () => {
    const file = join(temporaryFolder(), 'file')
    writeFileSync(file, 'no folder')
    for (const WORKERS of ['1', '2']) {
      const exit = await shopThatEnds({ SESSION_STORE: `disk:${file}/sessions`, WORKERS })
      expect(exit).toMatchObject({ code: 1, stdout: '' })
      expect(exit.stderr).toMatch(/^Sojourn shop cannot start: .+\n$/)
    }
    const readOnly = join(temporaryFolder(), 'read-only')
    mkdirSync(readOnly, { mode: 0o500 })
    // The superuser may write everywhere; for everybody else a read-only folder is the usual case.
    if (process.getuid?.() !== 0) expect((await shopThatEnds({ SESSION_STORE: `disk:${readOnly}/sessions` })).code).toBe(1)
  })

  it.each([
    { PORT: 'three' },
    { PORT: '65536' },
    { IDLE_TIMEOUT: 'soon' },
    { ABSOLUTE_TIMEOUT: '-1' },
    { SESSION_STORE: 'carrier-pigeon:' },
    { WORKERS: '0' },
    { WORKERS: '2', SESSION_STORE: 'memory:' },
  ])('says in one line what is wrong with %j, and exits with 1', async (environment) => {
    const exit = await shopThatEnds({ SESSION_STORE: temporaryStore(), ...environment })
    expect(exit).toMatchObject({ code: 1, stdout: '' })
    expect(exit.stderr).toMatch(/^Sojourn shop cannot start: .+\n$/)
  })
})
