import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, describe } from 'vitest'
import type { Maybe, Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { sqlite } from '../../src/stores/sqlite.ts'
import { tiered } from '../../src/stores/tiered.ts'
import { keepsTheContract } from './contract.ts'
import { slow } from './variants.ts'

const folder = mkdtempSync(join(tmpdir(), 'sojourn-tiered-'))
afterAll(() => rmSync(folder, { recursive: true }))

let folders = 0
const newFolder = () => join(folder, `${folders++}`)
const folderOf = ({ name }: Store) => name.replace(/^tiered:disk:/, '')

interface Row {
  readonly open: () => Maybe<Store>
  readonly reopen?: (store: Store) => Maybe<Store>
}

const rows: Readonly<Record<string, Row>> = {
  memory: { open: () => tiered({ next: memory() }) },
  'memory that answers later': { open: () => tiered({ next: slow(memory()) }) },
  'memory, with next to no room': { open: () => tiered({ memory: { maxBytes: 2000 }, next: slow(memory()) }) },
  sqlite: {
    open: async () => {
      const store = sqlite(new Database(':memory:'))
      await store.createSchema()
      return tiered({ next: store })
    },
  },
  disk: { open: () => tiered({ next: disk(newFolder()) }), reopen: (store) => tiered({ next: disk(folderOf(store)) }) },
}

const overflow = (next: Store, maxBytes?: number, backup?: number) => tiered({ mode: 'overflow', memory: { maxBytes }, backup, next })

const overflowing: Readonly<Record<string, Row>> = {
  memory: { open: () => overflow(memory()) },
  'memory that answers later, saved at once': { open: () => overflow(slow(memory()), undefined, 1) },
  'memory, with little room': { open: () => overflow(memory(), 30_000) },
  'memory that answers later, with little room': { open: () => overflow(slow(memory()), 30_000) },
  sqlite: {
    open: async () => {
      const store = sqlite(new Database(':memory:'))
      await store.createSchema()
      return overflow(store)
    },
  },
  disk: { open: () => overflow(disk(newFolder())) },
  'disk, with little room': { open: () => overflow(disk(newFolder()), 30_000) },
}

describe.each(Object.entries(overflowing))('the store: tiered, overflowing to %s', (_, { open, reopen }) => {
  keepsTheContract('tiered, overflow', open, reopen)
})

describe.each(Object.entries(rows))('the store: tiered over %s', (_, { open, reopen }) => {
  keepsTheContract('tiered', open, reopen)
})
