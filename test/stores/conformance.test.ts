import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe } from 'vitest'
import type { Maybe, Store } from '../../src/core/store.ts'
import { disk } from '../../src/stores/disk.ts'
import { memory } from '../../src/stores/memory.ts'
import { keepsTheContract } from './contract.ts'

interface Row {
  readonly name: string
  readonly open: () => Maybe<Store>
  readonly reopen?: (store: Store) => Maybe<Store>
}

const folder = mkdtempSync(join(tmpdir(), 'sojourn-conformance-'))
afterAll(() => rmSync(folder, { recursive: true }))

let folders = 0
const newFolder = () => join(folder, `${folders++}`)
const folderOf = ({ name }: Store) => name.replace(/^disk:/, '')

const stores: readonly Row[] = [
  { name: 'memory', open: () => memory() },
  { name: 'disk', open: () => disk(newFolder()), reopen: (store) => disk(folderOf(store)) },
  {
    name: 'disk, flushed',
    open: () => disk(newFolder(), { durability: 'flushed' }),
    reopen: (store) => disk(folderOf(store), { durability: 'flushed' }),
  },
]

describe.each(stores.map((row) => [row.name, row] as const))('the store: %s', (name, { open, reopen }) => {
  keepsTheContract(name.replace(/,.*/, ''), open, reopen)
})
