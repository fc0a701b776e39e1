import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { shopThatEnds, startShop, temporaryFolder } from './server.ts'
import { type SessionAnswer, Visitor } from './visitor.ts'

const [old, next] = ['0123456789abcdef'.repeat(4), 'fedcba9876543210'.repeat(4)]

function bytesIn(folder: string): string {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8', withFileTypes: true })
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name), 'latin1'))
    .join()
}

/** Shops, and ends the shop. @returns the visitor, and what the shop's folder holds then */
async function visit(environment: Record<string, string>) {
  const folder = temporaryFolder()
  const shop = await startShop({ SESSION_STORE: `disk:${folder}`, ...environment })
  const visitor = new Visitor(shop.url)
  await visitor.post('/api/cart', { sku: 'mug' })
  await visitor.logIn()
  await shop.end('SIGTERM')
  return { visitor, folder, bytes: bytesIn(folder) }
}

describe('the shop with SESSION_KEYS', () => {
  it('leaves nothing readable on the disk, and serves the visitor after a restart, also with the next key', async () => {
    const { visitor, folder, bytes } = await visit({ SESSION_KEYS: old })
    for (const word of ['"cart"', '"mug"', '"preferences"']) expect(bytes).not.toContain(word)

    const session = async (keys: string): Promise<SessionAnswer> => {
      const shop = await startShop({ SESSION_STORE: `disk:${folder}`, SESSION_KEYS: keys })
      visitor.url = shop.url
      const answer = await visitor.session()
      await shop.end('SIGTERM')
      return answer
    }
    const member = { userId: 'ada', cart: [{ sku: 'mug', qty: 1 }] }
    expect(await session(`${next},${old}`)).toMatchObject(member)
    expect(await session(next)).toMatchObject({ userId: null, cart: [] })
    expect(await session(old)).toMatchObject(member)
  })

  it('which are what keeps it from being readable', async () => {
    const { bytes } = await visit({})
    for (const word of ['"cart"', '"mug"', '"preferences"']) expect(bytes).toContain(word)
  })

  it('does not start with a key that is none', async () => {
    const { code, stderr } = await shopThatEnds({ SESSION_STORE: 'memory:', SESSION_KEYS: 'secret' })
    expect(code).toBe(1)
    expect(stderr).toContain('encryption.keys[0]')
    expect(stderr).not.toContain('secret')
  })
})
